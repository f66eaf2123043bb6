// A misspelt field of a query does not compile.
use xos_sync::prelude::*;

fn main() {
    let _ = Slice::NAEM.eq("mysite_demo1");
}
