//! gRPC server reflection, versions 1 and 1alpha: what is served, for clients that ask.
//!
//! Each question is answered from the models that are served when it is asked, so that one stream sees a load.

mod versions;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, stream};
use tonic::Status;
use tonic_reflection::server::v1::ServerReflectionServer as ServerV1;
use tonic_reflection::server::v1alpha::ServerReflectionServer as ServerV1Alpha;

use super::World;
use super::descriptors::Descriptors;

/// A service that is described and not there: it would move files by streams.
const NOT_SERVED: &str = "xos.filetransfer";

/// Reflection over what a world serves. A clone is another handle of the same.
#[derive(Clone)]
pub(crate) struct Reflection {
    world: Arc<World>,
}

/// The services of both versions, to be mounted beside all others.
pub(crate) fn services(world: Arc<World>) -> (ServerV1<Reflection>, ServerV1Alpha<Reflection>) {
    let reflection = Reflection { world };
    (ServerV1::new(reflection.clone()), ServerV1Alpha::new(reflection))
}

/// A question, in either version.
enum Question {
    /// The file with this name.
    File(String),
    /// The file that has this symbol.
    Symbol(String),
    /// The file that has this extension of a message.
    Extension(String, i32),
    /// The numbers of all extensions of a message.
    ExtensionNumbers(String),
    /// The names of all services.
    Services,
    /// Nothing was asked.
    Nothing,
}

/// An answer, in either version.
enum Answer {
    Files(Vec<Vec<u8>>),
    Numbers(String, Vec<i32>),
    Services(Vec<String>),
}

/// The answers to a stream of questions.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Reflection {
    /// Answers each question of a stream in turn, until the caller has no more.
    fn answers<Q, A>(
        &self,
        questions: tonic::Streaming<Q>,
        ask: fn(&Q) -> Question,
        tell: fn(Q, Result<Answer, Status>) -> A,
    ) -> Answers<A>
    where
        Q: Send + 'static,
        A: 'static,
    {
        let reflection = self.clone();
        let answers =
            stream::unfold((reflection, questions), move |(reflection, mut questions)| async move {
                let question = match questions.next().await? {
                    Ok(question) => question,
                    Err(status) => return Some((Err(status), (reflection, questions))),
                };
                let answer = reflection.answer(ask(&question)).await;
                Some((Ok(tell(question, answer)), (reflection, questions)))
            });
        Box::pin(answers)
    }

    async fn answer(&self, question: Question) -> Result<Answer, Status> {
        let served = self.world.objects.served(&self.world.core);
        let descriptors = served.descriptors().await?;
        answer(&descriptors, question)
    }
}

fn answer(descriptors: &Descriptors, question: Question) -> Result<Answer, Status> {
    let pool = descriptors.pool();
    let extendee = |name: &str| {
        let found = pool.get_message_by_name(name);
        found.ok_or_else(|| Status::not_found(format!("there is no message {name}")))
    };
    match question {
        Question::File(name) => files(descriptors, Some(&name), &name),
        Question::Symbol(name) => files(descriptors, file_of(descriptors, &name).as_deref(), &name),
        Question::Extension(name, number) => {
            let found = u32::try_from(number).ok();
            let extension = found.and_then(|number| extendee(&name).ok()?.get_extension(number));
            let file = extension.map(|extension| extension.parent_file().name().to_owned());
            files(descriptors, file.as_deref(), &format!("{name} with the extension {number}"))
        }
        Question::ExtensionNumbers(name) => {
            let extensions = extendee(&name)?;
            let mut numbers: Vec<i32> = extensions.extensions().map(|it| it.number() as i32).collect();
            numbers.sort_unstable();
            Ok(Answer::Numbers(name, numbers))
        }
        Question::Services => {
            let mut names: Vec<String> = pool.services().map(|it| it.full_name().to_owned()).collect();
            names.retain(|name| name != NOT_SERVED);
            names.sort_unstable();
            Ok(Answer::Services(names))
        }
        Question::Nothing => Err(Status::invalid_argument("nothing was asked")),
    }
}

/// A file and all that it needs.
fn files(descriptors: &Descriptors, file: Option<&str>, what: &str) -> Result<Answer, Status> {
    let files = file.and_then(|name| descriptors.file_and_imports(name));
    let files = files.ok_or_else(|| Status::not_found(format!("there is no {what}")))?;
    Ok(Answer::Files(files.iter().map(|file| file.to_vec()).collect()))
}

/// The file that has a symbol: a message, an enum, a service, an extension, or a part of one of these.
fn file_of(descriptors: &Descriptors, symbol: &str) -> Option<String> {
    let pool = descriptors.pool();
    let whole = |name: &str| {
        let message = pool.get_message_by_name(name).map(|it| it.parent_file());
        let message = message.or_else(|| pool.get_enum_by_name(name).map(|it| it.parent_file()));
        let service = || pool.get_service_by_name(name).map(|it| it.parent_file());
        let extension = || pool.get_extension_by_name(name).map(|it| it.parent_file());
        message.or_else(service).or_else(extension)
    };
    let part = || {
        let (parent, name) = symbol.rsplit_once('.')?;
        let message = pool.get_message_by_name(parent).filter(|message| {
            message.get_field_by_name(name).is_some() || message.oneofs().any(|oneof| oneof.name() == name)
        });
        let method = || {
            let service = pool.get_service_by_name(parent)?;
            let found = service.methods().any(|method| method.name() == name);
            found.then(|| service.parent_file())
        };
        // The values of an enum are beside it, not in it.
        let value = || {
            let mut enums = pool.all_enums().filter(|it| {
                let scope = it.full_name().rsplit_once('.').map_or("", |(scope, _)| scope);
                scope == parent
            });
            enums.find(|it| it.get_value_by_name(name).is_some()).map(|it| it.parent_file())
        };
        message.map(|it| it.parent_file()).or_else(method).or_else(value)
    };
    whole(symbol).or_else(part).map(|file| file.name().to_owned())
}
