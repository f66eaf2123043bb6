// A secret has no `Display`, and is asked for with `eq` only.
use xos_sync::prelude::*;

#[derive(XosModel, Clone, Debug)]
pub struct Login {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1)]
    pub password: Secret,
}

fn main() {
    let login = Login::default();
    println!("{}", login.password);
    let _ = Login::PASSWORD.contains("h");
}
