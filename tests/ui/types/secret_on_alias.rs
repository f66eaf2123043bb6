// An alias is looked through: `secret` at a text is refused, a default or a key at a secret is too.
use xos_sync::prelude::*;

type Token = Secret;
type Plain = String;

#[derive(XosModel, Clone, Debug)]
pub struct Greeting {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, secret)]
    pub plain: Plain,
    #[xos(number = 2, default = "hodor")]
    pub with_default: Token,
    #[xos(number = 3, tosca_key)]
    pub key: Token,
    #[xos(number = 4, secret)]
    pub fine: Token,
}

fn main() {}
