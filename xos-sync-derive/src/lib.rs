//! The macros of xos-sync. Write `use xos_sync::prelude::*;`: authors depend on `xos-sync` alone, which re-exports
//! them.
//!
//! | Macro | On | Makes of it |
//! |---|---|---|
//! | [`#[derive(XosModel)]`](macro@XosModel) | a struct | a model of XOS |
//! | [`#[derive(XosChoice)]`](macro@XosChoice) | an enum | the values that a text field may have |
//! | [`#[xos_sync::main]`](macro@main) | `async fn main` | a program |
//! | [`#[xos_sync::test]`](macro@test) | an `async fn` | a test |
//! | [`#[xos_sync::simulation]`](macro@simulation) | a `fn` that makes a synchronizer | a test that simulates it |
//!
//! # Mistakes
//!
//! All mistakes of an item are reported at once, each at the token that has it. What only types can decide (does this
//! `max_length` stand at a text, does the base have a field of that name) is checked by the compiler when the program
//! is built: generated constants that panic with a message for people. After a mistake the item still is a model, a
//! choice or a function, so that its uses add no messages.
//!
//! # How it works
//!
//! Each macro is *parse* (what stands there), *check* (does it fit together) and *generate*. What is generated stands
//! in a `const _`, so that no name leaks, and names the runtime by an absolute path: `::xos_sync`, or what
//! `#[xos(crate = ..)]` says. `tests/snapshots/` has the code that is written for one model and one choice.
//!
//! The examples here are not compiled, because this crate cannot depend on the ones that it is for. The same examples
//! are compiled in `xos-model-client` (at `Model` and `Choice`), and as `tests/ui/pass` of the workspace.
#![deny(missing_docs)]

mod attr;
mod choice;
mod ctxt;
mod entry;
mod help;
mod model;
mod simulation;
#[cfg(test)]
mod testing;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a model of XOS.
///
/// ```ignore (needs xos-sync, which depends on this crate)
/// use xos_sync::prelude::*;
///
/// /// One greeting.
/// #[derive(XosModel, Clone, Debug)]
/// #[xos(app_label = "hello-world", owner_class = HelloWorldService)]
/// pub struct HelloWorldServiceInstance {
///     #[xos(base)]
///     pub service_instance: ServiceInstance,
///     /// The name of who is being greeted
///     #[xos(number = 1, max_length = 254)]
///     pub hello_to: String,
///     /// The greeting that this one answers
///     #[xos(number = 2, reverse = "answers")]
///     pub answer_to: Option<Link<HelloWorldServiceInstance>>,
/// }
/// ```
///
/// Derive `Clone` and `Debug` with it, and `PartialEq` where objects are compared. **Not `Default`**: this derive
/// writes it, with the defaults of the schema; a second one is error E0119. The same holds for `Display`.
///
/// # What the struct gets
///
/// - `Model`: its definition, and the way from and to records.
/// - `Default`, with the declared defaults; a field without one starts empty.
/// - `Deref` and `DerefMut` to its base: `object.name`, `object.backend_status` and `object.id` are the inherited
///   fields. Two of them cannot be borrowed mutably at once through it; name the path
///   (`object.service_instance.name`) then.
/// - A typed constant for each field, with the field's doc and visibility, for queries:
///   `HelloWorldServiceInstance::HELLO_TO.eq("Arya")`.
/// - `Display`: the object's name, or else model and id, as `HelloWorldServiceInstance-5`.
/// - `IsA<Base>` for itself and for each model that it inherits from.
///
/// # Types of fields
///
/// | Rust | XOS |
/// |---|---|
/// | `String` | string, required |
/// | `i32`, `u32`, `bool`, `f32` | int32, uint32, bool, float, required |
/// | `Timestamp` | date, required |
/// | `Secret` | string, required, never shown: a password, a token |
/// | an enum with `#[derive(XosChoice)]` | string with choices, required |
/// | `Link<M>` | manytoone, required |
/// | `Links<M>` | manytomany, optional |
/// | `Option<T>` of these, but for `Links` | the same, optional |
///
/// What a field holds comes from its type, so an alias works too.
///
/// # On the struct
///
/// | `#[xos(..)]` | Meaning | Without it |
/// |---|---|---|
/// | `app_label = "hello-world"` | the service that brings the model, one for all of its models | the name of the crate |
/// | `name = "XOSBase"` | the name in the core | the name of the struct |
/// | `owner_class = Type` | the model that the owner of a new object is taken from | that of the base |
/// | `plural = "Bunnies"` | its plural | the core's rule |
/// | `verbose_name = "Hello World"` | what people see instead of the name | the name |
/// | `policy = "site_policy"` | the xproto policy that guards it | everybody may do everything |
/// | `validator("policy", "message")` | a check on saving, as often as you like | none |
/// | `abstract` | it has no objects of its own | it has |
/// | `custom_python` | the core runs Python code of it: it shows in class names | it does not |
/// | `extensible` | also writes the trait `<Struct>Fields`, by which models that inherit from it have its constants | no trait |
/// | `crate = path` | where xos-sync is | `::xos_sync` |
///
/// The doc comment becomes the model's description. It goes to the core as xproto, and so is in ASCII.
///
/// # On a field
///
/// One field is the `base`. Every other field has a `number`.
///
/// | `#[xos(..)]` | Meaning |
/// |---|---|
/// | `base` | the model that this one inherits from |
/// | `number = 1` | the number on the wire, 1 to 99, each once in a model; never change it |
/// | `name = "versionNumber"` | the name in the core, where it is not that of the field |
/// | `max_length = 200` | the longest text |
/// | `text` | a text of any length |
/// | `stripped`, `url`, `ip` | a text without white space around it; a URL; an IP address |
/// | `default = ..` | what a new object has: a text, a number, `true`, `false`; `now` (a time), `none` (an `Option`) or `first` (a link: the first object there is) |
/// | `unique` | no two objects have the same value |
/// | `unique_with = "site"`, `unique_with("a", "b")` | nor the same values of these fields together |
/// | `index` | the core keeps an index on it |
/// | `feedback` | only synchronizers may change it; to change it does not cause a synchronization |
/// | `bookkeeping` | the core and the engine keep it |
/// | `gui_hidden` | the GUI does not show it |
/// | `secret` | nothing more than its type `Secret` says: a reminder for readers |
/// | `auto_now_add` | a time: that of the creation |
/// | `tosca_key` | a recipe finds the object by it |
/// | `tosca_key_one_of = "f"` | by it or by `f`, just one of the two being given |
/// | `reverse = "answers"` | a link: what the other end calls the way back |
/// | `reverse_number = 1001` | its number, 1000 to 1899; else the core gives it one |
/// | `origin`, `id` | what was loaded, and the id: in a model without base only, as the core has |
///
/// The doc comment becomes the field's help text, its lines joined to one.
///
/// # Changed models
///
/// A new optional or defaulted field, and a longer `max_length`, work on a core that has objects of the model
/// already. The name of a field may change in Rust when `name` keeps the old one for the core.
#[proc_macro_derive(XosModel, attributes(xos))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    model::expand(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes an enum the values that a text field may have.
///
/// ```ignore (needs xos-sync, which depends on this crate)
/// use xos_sync::prelude::*;
///
/// #[derive(XosChoice, Clone, Debug, PartialEq)]
/// pub enum ServiceKind {
///     #[xos(value = "data", label = "Data Plane")]
///     Data,
///     #[xos(label = "Control Plane")]
///     ControlPlane,
///     /// A kind that this program does not know.
///     Other(String),
/// }
/// ```
///
/// Derive `Clone`, `Debug` and `PartialEq` with it. One variant, of any name, is a tuple of one `String`: it holds the
/// values that this program does not know, because a newer core may have more.
///
/// # What the enum gets
///
/// - `FieldType` and `Choice`: it can be the type of a field, also as an `Option`; `as_str()` is the value that is
///   stored, `label()` what people see.
/// - `From<&str>` and `From<String>`: the variant with this value, or the catch-all.
/// - `Display`, which writes the value.
///
/// # Attributes
///
/// | `#[xos(..)]` | On | Meaning | Without it |
/// |---|---|---|---|
/// | `value = "data"` | a variant | what is stored | the variant in snake case: `control_plane` |
/// | `label = "Data Plane"` | a variant | what people see | the name of the variant |
/// | `none = "Default"` | the enum | what people see for no value, in fields of type `Option` | no such choice |
/// | `crate = path` | the enum | where xos-sync is | `::xos_sync` |
#[proc_macro_derive(XosChoice, attributes(xos))]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    choice::expand(&parse_macro_input!(input as DeriveInput)).into()
}

/// Runs an `async fn main` on a runtime, and prints an error that it returns as a readable chain.
///
/// ```ignore (needs xos-sync, which depends on this crate)
/// #[xos_sync::main]
/// async fn main() -> xos_sync::Result<()> {
///     let config = Config::from_args()?;
///     run_synchronizer(config, Synchronizer::new("hello-world").sync_step(SyncGreeting)).await
/// }
/// ```
///
/// | Argument | Meaning | Without it |
/// |---|---|---|
/// | `worker_threads = 4` | how many threads run it, 1 to 1024 | one per processor |
/// | `flavor = "current_thread"` | the main thread alone runs it | `"multi_thread"` |
/// | `crate = path` | where xos-sync is | `::xos_sync` |
///
/// The exit code is 0, or what the error says.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Main, arguments.into(), &item.into()).into()
}

/// Runs an `async fn` as a test, on a runtime of its own.
///
/// ```ignore (needs xos-sync, which depends on this crate)
/// #[xos_sync::test]
/// async fn arya_is_greeted() -> xos_sync::Result<()> {
///     let core = MockAccessor::new();
///     let mut arya = core.create(HelloWorldServiceInstance { hello_to: "Arya".into(), ..Default::default() }).await?;
///     SyncGreeting.sync_record(&core.context(), &mut arya).await?;
///     Ok(())
/// }
/// ```
///
/// The arguments are those of [`main`](macro@main); a test runs on one thread unless they say otherwise. `#[ignore]`
/// and `#[should_panic]` may stand beside it, `#[test]` not: it brings that itself.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(entry::Entry::Test, arguments.into(), &item.into()).into()
}

/// Makes a function that makes a synchronizer a test that simulates it: random troubles from seeds, then every point
/// where the program may die. See `xos_sync::testing::simulate`.
///
/// ```ignore (needs xos-sync, which depends on this crate)
/// #[xos_sync::simulation(seeds = 200)]
/// fn tenants(backend: Backend) -> Synchronizer {
///     Synchronizer::new("tenants").sync_step(SyncTenant(MyClient::simulated(backend)))
/// }
/// ```
///
/// | Argument | Meaning | Without it |
/// |---|---|---|
/// | `seeds = 1000` | how many seeds are run | 200 |
/// | `objects = 20` | how many objects clients make in each run, at least | 50 |
/// | `crate = path` | where xos-sync is | `::xos_sync` |
#[proc_macro_attribute]
pub fn simulation(arguments: TokenStream, item: TokenStream) -> TokenStream {
    simulation::expand(arguments.into(), &item.into()).into()
}
