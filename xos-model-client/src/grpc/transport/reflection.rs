//! gRPC server reflection: the schema of a core that has no `GetSchema`.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::{Request, Status};

use super::causes::{self, Cause};
use super::codec::BytesCodec;
use super::services::{Chunks, put_text, text_field};
use super::{CallError, Transport};
use crate::grpc::status::Code;

/// The versions of the service, the one of a core 4.0.4 first.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
];

/// More files than this are no schema.
const MOST_FILES: usize = 10_000;

impl Transport {
    /// The descriptor files that describe a symbol such as the service `xos.xos`: that of the symbol and all that they
    /// need, each the bytes of a `FileDescriptorProto`.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. A core without reflection answers `UNIMPLEMENTED`.
    pub async fn reflect(&self, symbol: &str) -> Result<Vec<Bytes>, CallError> {
        let mut outcome = Ok(Vec::new());
        for method in METHODS {
            outcome = self.reflect_by(method, symbol).await;
            if !matches!(&outcome, Err(CallError::Status { code: Code::UNIMPLEMENTED, .. })) {
                break;
            }
        }
        outcome
    }

    async fn reflect_by(&self, method: &'static str, symbol: &str) -> Result<Vec<Bytes>, CallError> {
        let _permit = self.0.permits.acquire().await;
        let (line, at) = (self.line(), self.connections());
        let deadline = self.0.options.call_deadline;
        let asking = async {
            let mut grpc =
                Grpc::new(line.channel.clone()).max_decoding_message_size(self.0.options.max_message_size);
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let (questions, asked) = mpsc::channel(1);
            let asked = futures_util::stream::unfold(asked, |mut asked: mpsc::Receiver<Bytes>| async {
                asked.recv().await.map(|question| (question, asked))
            });
            let mut question = Vec::new();
            put_text(&mut question, 4, symbol);
            // The stream takes the first question when it is polled, which is when the call is made.
            let _ = questions.try_send(question.into());
            let mut request = Request::new(Box::pin(asked));
            request.set_timeout(deadline);
            let path = PathAndQuery::from_static(method);
            let mut answers = grpc.streaming(request, path, BytesCodec).await?.into_inner();
            let mut files = Files::default();
            loop {
                let answer =
                    answers.next().await.ok_or_else(|| Status::internal("it stopped answering"))??;
                files.take(&answer)?;
                let Some(next) = files.next() else { return Ok(files.found) };
                let mut question = Vec::new();
                put_text(&mut question, 3, &next);
                if questions.send(question.into()).await.is_err() {
                    return Err(Status::internal("it takes no more questions"));
                }
            }
        };
        let status = match tokio::time::timeout(deadline, asking).await {
            Ok(Ok(files)) => return Ok(files),
            Ok(Err(status)) => status,
            Err(_) => Status::from_error(Box::new(causes::OwnDeadline)),
        };
        let Cause { error, own_deadline } = causes::explain(&status, &self.0.dial, &line, deadline);
        let error = match error {
            CallError::Status { code, details } => {
                CallError::Status { code, details: format!("reflection of {symbol}: {details}") }
            }
            other => other,
        };
        Err(self.failed(Cause { error, own_deadline }, &line, at))
    }
}

/// The files that were found, and those that are still needed.
#[derive(Default)]
struct Files {
    found: Vec<Bytes>,
    names: HashSet<String>,
    wanted: VecDeque<String>,
    asked: HashSet<String>,
}

impl Files {
    /// The next file to ask for.
    fn next(&mut self) -> Option<String> {
        std::iter::from_fn(|| self.wanted.pop_front()).find(|wanted| !self.names.contains(wanted))
    }

    /// Reads one `ServerReflectionResponse`.
    fn take(&mut self, answer: &Bytes) -> Result<(), Status> {
        let mut useful = false;
        for (field, message) in Chunks(answer) {
            match field {
                4 => {
                    useful = true;
                    for (_, file) in Chunks(message).filter(|(field, _)| *field == 1) {
                        self.add(answer.slice_ref(file))?;
                    }
                }
                7 => {
                    let text = text_field(message, 2).unwrap_or_default();
                    return Err(Status::not_found(text));
                }
                _ => (),
            }
        }
        if useful { Ok(()) } else { Err(Status::internal("it answered something else than was asked")) }
    }

    fn add(&mut self, file: Bytes) -> Result<(), Status> {
        let name = text_field(&file, 1).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Status::internal("it sent a file without a name"))?;
        for (_, needed) in Chunks(&file).filter(|(field, _)| *field == 3) {
            let needed = String::from_utf8_lossy(needed).into_owned();
            if self.asked.insert(needed.clone()) {
                self.wanted.push_back(needed);
            }
        }
        if self.names.insert(name) {
            self.found.push(file);
        }
        if self.asked.len() > MOST_FILES {
            return Err(Status::internal("it describes more files than a schema has"));
        }
        Ok(())
    }
}
