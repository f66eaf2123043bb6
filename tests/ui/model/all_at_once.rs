// All mistakes are reported at once, and no others follow from them.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
#[xos(app_lable = "hello-world")]
pub struct Greeting {
    #[xos(base)]
    pub service: Service,
    #[xos(number = 100)]
    pub hello_to: String,
    #[xos(numbre = 2)]
    pub hello_from: String,
    pub size: i64,
}

fn main() {
    let greeting = Greeting::default();
    println!("{greeting} {} {}", greeting.name, greeting.backend_status);
    let _ = (Greeting::HELLO_TO.eq("Arya"), Greeting::NAME.eq("HelloWorld"));
}
