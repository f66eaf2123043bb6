//! The two versions of the protocol, which differ in nothing but the name of their package.

/// The service and the messages of one version.
macro_rules! version {
    ($version:ident) => {
        mod $version {
            use tonic::{Request, Response, Status, Streaming, async_trait};
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            use tonic_reflection::pb::$version::{
                ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
                ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
            };
            use tonic_reflection::server::$version::ServerReflection;

            use super::super::{Answer, Answers, Question, Reflection};

            #[async_trait]
            impl ServerReflection for Reflection {
                type ServerReflectionInfoStream = Answers<ServerReflectionResponse>;

                async fn server_reflection_info(
                    &self,
                    request: Request<Streaming<ServerReflectionRequest>>,
                ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                    Ok(Response::new(self.answers(request.into_inner(), question, response)))
                }
            }

            fn question(request: &ServerReflectionRequest) -> Question {
                match request.message_request.clone() {
                    Some(MessageRequest::FileByFilename(name)) => Question::File(name),
                    Some(MessageRequest::FileContainingSymbol(name)) => Question::Symbol(name),
                    Some(MessageRequest::FileContainingExtension(extension)) => {
                        Question::Extension(extension.containing_type, extension.extension_number)
                    }
                    Some(MessageRequest::AllExtensionNumbersOfType(name)) => Question::ExtensionNumbers(name),
                    Some(MessageRequest::ListServices(_)) => Question::Services,
                    None => Question::Nothing,
                }
            }

            fn response(
                request: ServerReflectionRequest,
                answer: Result<Answer, Status>,
            ) -> ServerReflectionResponse {
                let message = match answer {
                    Ok(Answer::Files(file_descriptor_proto)) => {
                        MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
                            file_descriptor_proto,
                        })
                    }
                    Ok(Answer::Numbers(base_type_name, extension_number)) => {
                        MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                            base_type_name,
                            extension_number,
                        })
                    }
                    Ok(Answer::Services(names)) => {
                        let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
                        MessageResponse::ListServicesResponse(ListServiceResponse { service })
                    }
                    Err(status) => MessageResponse::ErrorResponse(ErrorResponse {
                        error_code: status.code() as i32,
                        error_message: status.message().to_owned(),
                    }),
                };
                ServerReflectionResponse {
                    valid_host: request.host.clone(),
                    original_request: Some(request),
                    message_response: Some(message),
                }
            }
        }
    };
}

version!(v1);
version!(v1alpha);
