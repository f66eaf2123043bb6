//! What the core's errors mean.

use std::time::Duration;

use crate::recorded::RECORDED;
use xos_model_client::grpc::status::Doing::{self, Onboard, Read, Write};
use xos_model_client::grpc::status::{About, Code, classify, explain};
use xos_model_client::grpc::transport::{CallError, Hint};
use xos_model_client::{Error, ErrorKind, ObjectId};

/// What it can say besides.
const NOT_RECORDED: &[(Doing, &str, &str, &str)] = &[
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'a': [u'One.', u'Two \\xe9.'], '__all__': [u'Three.']}",
        "Invalid a: One.; a: Two é.; Three.",
    ),
    (Write, "UNKNOWN", "Exception calling application: {'a': [u'This is cut o", "Invalid a: This is cut o"),
    (Write, "UNKNOWN", "Exception calling application: [u'About all.']", "Invalid About all."),
    (
        Write,
        "INVALID_ARGUMENT",
        r#"{"fields": {"name": "too odd"}, "specific_error": "x", "error": "XOSValidationError"}"#,
        "Invalid name: too odd",
    ),
    (Write, "INVALID_ARGUMENT", "{\"broken", "Invalid {\"broken"),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: server closed the connection unexpectedly\n\tThis probably means",
        "Away",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: server closed the connection unexpectedly",
        "OutcomeUnknown",
    ),
    (Write, "UNKNOWN", "Exception calling application: connection already closed", "OutcomeUnknown"),
    (Read, "UNKNOWN", "Exception calling application: OperationalError: could not connect to server", "Away"),
    (Read, "UNKNOWN", "Exception calling application: InterfaceError: cursor already closed", "Away"),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: deadlock detected\nDETAIL:  Process 1",
        "OutcomeUnknown",
    ),
    (Read, "UNKNOWN", "Exception calling application: FATAL:  the database system is shutting down", "Away"),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: 'ascii' codec can't encode character u'\\xf3' in position 1: \
        ordinal not in range(128)",
        "Core",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: Attempt to save object with deleted foreign key reference",
        "Invalid Attempt to save object with deleted foreign key reference",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: Service matching query does not exist.",
        "Invalid Service matching query does not exist.",
    ),
    (Read, "UNIMPLEMENTED", "", "NoSuchModel"),
    (Read, "INTERNAL", "something broke", "Core"),
    (Read, "FAILED_PRECONDITION", "not now", "Core"),
    (Read, "ABORTED", "", "Core"),
    (Write, "ABORTED", "", "Core"),
    (Read, "UNAVAILABLE", "Socket closed", "Away"),
    (Write, "UNAVAILABLE", "Socket closed", "OutcomeUnknown"),
    (Read, "UNKNOWN", "", "Core"),
    (Read, "PERMISSION_DENIED", "plain words", "Denied plain words"),
    (Read, "UNKNOWN", "Exception calling application: {}", "Core"),
    (Onboard, "UNIMPLEMENTED", "Method not found!", "Core"),
    (Onboard, "UNAVAILABLE", "Socket closed", "OutcomeUnknown"),
];

fn about(doing: Doing) -> About<'static> {
    About {
        model: if doing == Onboard { "hello-world" } else { "HelloWorldServiceInstance" },
        id: ObjectId::new(7),
        doing,
    }
}

/// An error in a few words.
fn class(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => {
            let each = |fault: &xos_model_client::FieldFault| match &fault.field {
                Some(field) => format!("{field}: {}", fault.message),
                None => fault.message.clone(),
            };
            format!("Invalid {}", faults.iter().map(each).collect::<Vec<_>>().join("; "))
        }
        ErrorKind::NotFound { id, .. } => format!("NotFound {id}"),
        ErrorKind::Denied { reason, .. } => format!("Denied {reason}"),
        ErrorKind::NoSuchField { field, like, .. } => {
            format!(
                "NoSuchField {field}{}",
                like.as_ref().map(|like| format!(" like {like}")).unwrap_or_default()
            )
        }
        ErrorKind::Onboarding { problem, .. } => format!("Onboarding {problem}"),
        ErrorKind::NoSuchModel { .. } => "NoSuchModel".to_owned(),
        ErrorKind::Unauthenticated { .. } => "Unauthenticated".to_owned(),
        ErrorKind::Away { .. } => "Away".to_owned(),
        ErrorKind::OutcomeUnknown { .. } => "OutcomeUnknown".to_owned(),
        ErrorKind::Query { .. } => "Query".to_owned(),
        ErrorKind::Core { .. } => "Core".to_owned(),
        other => panic!("an unexpected class: {other:?}"),
    }
}

fn check(&(doing, code, details, expected): &(Doing, &str, &str, &str)) {
    let error = classify(Code::from_name(code).unwrap(), details, &about(doing));
    assert!(
        class(&error).starts_with(expected),
        "{doing:?} {code} {details}\n  is {}\n  not {expected}",
        class(&error)
    );
    let text = error.to_string();
    assert!(text.len() < 1000 && !text.contains('\n'), "too much: {text}");
}

#[test]
fn every_recorded_error_has_its_class() {
    RECORDED.iter().for_each(check);
}

#[test]
fn errors_that_were_not_recorded_have_a_class_too() {
    NOT_RECORDED.iter().for_each(check);
}

#[test]
fn the_table_has_every_error_of_the_recordings() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/wire"));
    let mut read = 0;
    for name in ["calls", "load-calls", "policy-session", "synchronizer-session"] {
        let Ok(text) = std::fs::read_to_string(folder.join(name).with_extension("jsonl")) else {
            eprintln!("skipped: {name}.jsonl is not there");
            continue;
        };
        for line in text.lines() {
            let call: serde_json::Value = serde_json::from_str(line).unwrap();
            let (code, details) =
                (call["code"].as_str().unwrap_or("OK"), call["details"].as_str().unwrap_or(""));
            let known = |row: &&(Doing, &str, &str, &str)| row.1 == code && row.2 == details;
            if code != "OK" {
                read += 1;
                assert!(RECORDED.iter().any(|row| known(&row)), "{name}: {code} {details}");
            }
        }
    }
    assert!(read == 0 || read > 100, "only {read} errors in the recordings");
}

#[test]
fn no_words_of_a_refused_login_are_repeated() {
    for (code, details) in [
        (
            "PERMISSION_DENIED",
            r#"{"fields": {}, "specific_error": "failed to authenticate a@b:hunter2", "error": "X"}"#,
        ),
        ("PERMISSION_DENIED", "failed to authenticate a@b:hunter2"),
        ("UNAUTHENTICATED", "hunter2"),
    ] {
        let error = classify(Code::from_name(code).unwrap(), details, &about(Read));
        assert!(!format!("{error} {error:?} {:?}", error.kind()).contains("hunter2"), "{error}");
    }
}

#[test]
fn what_is_not_known_depends_on_what_was_done() {
    let classes = |error: &CallError| {
        [Read, Write, Onboard].map(|doing| match explain(error.clone(), &about(doing)) {
            error if matches!(error.kind(), ErrorKind::Deadline(_)) => "Deadline".to_owned(),
            error => class(&error).split(' ').next().unwrap().to_owned(),
        })
    };
    let lost = CallError::Lost { reason: "reset".to_owned() };
    assert_eq!(classes(&lost), ["Away", "OutcomeUnknown", "OutcomeUnknown"]);
    let not_sent = CallError::NotSent { reason: "refused".to_owned(), hint: Hint::Refused };
    assert_eq!(classes(&not_sent), ["Away"; 3]);
    let late = CallError::Deadline(Duration::from_secs(30));
    assert_eq!(classes(&late), ["Deadline", "OutcomeUnknown", "OutcomeUnknown"]);
    let large = CallError::RequestTooLarge { size: 5, limit: 4 };
    assert_eq!(classes(&large), ["Invalid", "Invalid", "Onboarding"]);
    let large = CallError::AnswerTooLarge { size: None, limit: 4 };
    assert_eq!(classes(&large), ["Core", "OutcomeUnknown", "OutcomeUnknown"]);
    assert_eq!(classes(&CallError::Auth { reason: String::new() }), ["Unauthenticated"; 3]);
}

#[test]
fn a_poisoned_text_is_explained() {
    let details =
        "Exception calling application: 'ascii' codec can't encode character u'\\xf3' in position 1: ordinal";
    let text = classify(Code::UNKNOWN, details, &about(Write)).to_string();
    for words in
        ["HelloWorldServiceInstance 7", "u'\\xf3'", "it IS stored", "overwrite or delete", "ASCII only"]
    {
        assert!(text.contains(words), "{text}");
    }
    let text = classify(Code::UNKNOWN, details, &about(Read)).to_string();
    assert!(text.contains("getting objects one by one"), "{text}");
}

#[test]
fn any_words_can_be_classified() {
    // The same few pieces in every order, cut everywhere: nothing panics.
    let pieces = [
        "Exception calling application: ",
        "{'a': [u'",
        "\\xe",
        "\\ud83d",
        "é",
        "Cannot resolve keyword '",
        "{\"error\": ",
        "]}",
    ];
    for a in pieces {
        for b in pieces {
            for c in pieces {
                let text = format!("{a}{b}{c}");
                for (end, _) in text.char_indices() {
                    let _ = classify(Code::UNKNOWN, &text[..end], &about(Write)).to_string();
                    let _ = classify(Code::INVALID_ARGUMENT, &text[..end], &about(Read)).to_string();
                }
            }
        }
    }
}
