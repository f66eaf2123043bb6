//! What the core's errors mean.

use std::time::Duration;

use xos_model_client::grpc::status::Doing::{self, Onboard, Read, Write};
use xos_model_client::grpc::status::{About, Code, classify, explain};
use xos_model_client::grpc::transport::{CallError, Hint};
use xos_model_client::{Error, ErrorKind, ObjectId};

/// What was tried, what the core said, and what it means: everything that was recorded of a core 4.0.4.
const RECORDED: &[(Doing, &str, &str, &str)] = &[
    (
        Read,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "Failed to authenticate user admin@opencord.org", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Read,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "Failed to authenticate user nobody@opencord.org", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Read,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "No username", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Read,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "failed to authenticate token deadbeefdeadbeefdeadbeefdeadbeef", "error": "XOSPermissionDenied"}"#,
        "Unauthenticated",
    ),
    (
        Read,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "This API requires authentication", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Write,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "This API requires authentication", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Read,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "failed to authenticate admin@opencord.org:wrong", "error": "XOSPermissionDenied"}"#,
        "Unauthenticated",
    ),
    (Read, "UNKNOWN", "Exception calling application: need more than 1 value to unpack", "Unauthenticated"),
    (Read, "UNKNOWN", "Exception calling application: too many values to unpack", "Unauthenticated"),
    (
        Read,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "failed to authenticate token pwd4o0jyifru3j6gs4la84wjdjxpr9py", "error": "XOSPermissionDenied"}"#,
        "Unauthenticated",
    ),
    (
        Onboard,
        "UNAUTHENTICATED",
        r#"{"fields": {}, "specific_error": "This API requires authentication", "error": "XOSNotAuthenticated"}"#,
        "Unauthenticated",
    ),
    (
        Onboard,
        "INVALID_ARGUMENT",
        "Service hello-world is requesting core version >=5.0.0 but actual version is 4.0.4",
        "Onboarding were refused: Service hello-world is requesting core version >=5.0.0 but actual",
    ),
    (
        Onboard,
        "INVALID_ARGUMENT",
        "Service hello-world is requesting core version between >=5.0.0 and <6.0.0 but actual version is 4.0.4",
        "Onboarding were refused: Service hello-world is requesting core version between >=5.0.0 an",
    ),
    (
        Onboard,
        "UNKNOWN",
        "Exception calling application: match_expr parameter should be in format <op><ver>, where <op> is one of ['<', '>', '==', '<=', '>=', '!=']. You provided: u'4.0'",
        "Onboarding were refused: match_expr parameter should be in format <op><ver>, where <op> is",
    ),
    (
        Onboard,
        "UNKNOWN",
        "Exception calling application: illegal character in filename ../evil.xproto",
        "Onboarding were refused: illegal character in filename ../evil.xproto",
    ),
    (
        Onboard,
        "UNKNOWN",
        "Exception calling application: python file 0001_initial.py failed compile test",
        "Onboarding were refused: python file 0001_initial.py failed compile test",
    ),
    (
        Onboard,
        "UNKNOWN",
        "Exception calling application: python file conv.py failed compile test",
        "Onboarding were refused: python file conv.py failed compile test",
    ),
    (
        Write,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "A non Synchronizer is trying to update fields marked as feedback_state: ['backend_code']", "error": "XOSPermissionDenied"}"#,
        "Denied A non Synchronizer is trying to update fields marked as feedback_state: ['backend_c",
    ),
    (
        Write,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "A non Synchronizer is trying to update fields marked as feedback_state: ['backend_status']", "error": "XOSPermissionDenied"}"#,
        "Denied A non Synchronizer is trying to update fields marked as feedback_state: ['backend_s",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: The following fields do not exist in this model or are m2m fields: no_such_field",
        "NoSuchField no_such_field",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: The following fields do not exist in this model or are m2m fields: ",
        "Core",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: The following fields do not exist in this model or are m2m fields:  updated",
        "NoSuchField  updated",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: function upper(integer) does not exist\nLINE 1: ...einstance\".\"serviceinstance_decl_ptr_id\"::text) = UPPER(23))\n                                                             ^\nHINT:  No function matches the given name and argument types. You might need to add explicit type casts.\n",
        "Query",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: operator does not exist: text ~ integer\nLINE 1: ...ldserviceinstance\".\"serviceinstance_decl_ptr_id\"::text ~ 23)\n                                                                  ^\nHINT:  No operator matches the given name and argument types. You might need to add explicit type casts.\n",
        "Core",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: operator does not exist: text ~* integer\nLINE 1: ...dserviceinstance\".\"serviceinstance_decl_ptr_id\"::text ~* 23)\n                                                                 ^\nHINT:  No operator matches the given name and argument types. You might need to add explicit type casts.\n",
        "Core",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: invalid literal for int() with base 10: 'abc'",
        "Query",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: Cannot resolve keyword 'no_such' into field. Choices are: backend_code, backend_handle, backend_need_delete, backend_need_delete_policy, backend_need_reap, backend_register, backend_status, changed_by_policy, changed_by_step, child_serviceinstances, created, deleted, enacted, hello_to, id, lazy_blocked, leaf_model_name, link_deleted_count, master_serviceinstance, master_serviceinstance_id, name, no_policy, no_sync, owner, owner_id, policed, policy_code, policy_status, ports, provided_links, service_instance_attributes, service_specific_attribute, service_specific_id, serviceinstance_decl_ptr, serviceinstance_decl_ptr_id, subscribed_links, updated, write_protect, xos_managed",
        "NoSuchField no_such",
    ),
    (Read, "UNKNOWN", "Exception calling application: must specify iValue or sValue", "Query"),
    (
        Read,
        "UNKNOWN",
        r#"Exception calling application: [u"'true' value must be either True or False."]"#,
        "Invalid 'true' value must be either True or False.",
    ),
    (Read, "UNKNOWN", "Exception calling application: expected string or buffer", "Query"),
    (
        Read,
        "UNKNOWN",
        r#"Exception calling application: [u"'' value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] format."]"#,
        "Invalid '' value has an invalid format. It must be in YYYY-MM-DD HH:MM[:ss[.uuuuuu]][TZ] f",
    ),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: invalid regular expression: parentheses () not balanced\n",
        "Query",
    ),
    (Read, "UNKNOWN", "Exception calling application: 'NoneType' object is not iterable", "Query"),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: local variable 'queryset' referenced before assignment",
        "Query",
    ),
    (Read, "UNKNOWN", "Exception calling application: unknown operator", "Query"),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 99999}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 99999",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: HelloWorldServiceInstance matching query does not exist.",
        "NotFound 7",
    ),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 0}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 0",
    ),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": -1}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound -1",
    ),
    (
        Write,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 99999}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 99999",
    ),
    (
        Write,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 0}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 0",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'hello_to': [u'This field cannot be blank.']}",
        "Invalid hello_to: This field cannot be blank.",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'name': [u'Ensure this value has at most 200 characters (it has 201).']}",
        "Invalid name: Ensure this value has at most 200 characters (it has 201).",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'name': [u'Service_decl with this Name already exists.']}",
        "Invalid name: Service_decl with this Name already exists.",
    ),
    (
        Write,
        "UNKNOWN",
        r#"Exception calling application: {'kind': [u"Value u'bogus' is not a valid choice."]}"#,
        "Invalid kind: Value u'bogus' is not a valid choice.",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'name': [u'Flavor_decl with this Name already exists.']}",
        "Invalid name: Flavor_decl with this Name already exists.",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'name': [u'Ensure this value has at most 32 characters (it has 33).']}",
        "Invalid name: Ensure this value has at most 32 characters (it has 33).",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'flavor': [u'This field cannot be blank.'], 'name': [u'This field cannot be blank.']}",
        "Invalid flavor: This field cannot be blank.; name: This field cannot be blank.",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'backend_status': [u'Ensure this value has at most 1024 characters (it has 1025).']}",
        "Invalid backend_status: Ensure this value has at most 1024 characters (it has 1025).",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: {'backend_register': [u'Ensure this value has at most 1024 characters (it has 1025).']}",
        "Invalid backend_register: Ensure this value has at most 1024 characters (it has 1025).",
    ),
    (Read, "UNIMPLEMENTED", "Method not found!", "NoSuchModel"),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "Site matching query does not exist.", "id": 0}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 0",
    ),
    (
        Write,
        "RESOURCE_EXHAUSTED",
        "Received message larger than max (5242886 vs. 4194304)",
        "Invalid the request is too large for the core (Received message larger than max (5242886 v",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: insert or update on table \"core_nodelabel_decl_node\" violates foreign key constraint \"core_nodelabel_decl_node_node_id_be9bf720_fk_core_node_decl_id\"\nDETAIL:  Key (node_id)=(99999) is not present in table \"core_node_decl\".\n",
        "Invalid insert or update on table \"core_nodelabel_decl_node\" violates foreign key constrai",
    ),
    (
        Write,
        "INVALID_ARGUMENT",
        r#"{"fields": {}, "specific_error": "A ServiceInstanceLink with attributes 'provider_service_instance=i2, subscriber_service_instance=by-event, subscriber_service=None, subscriber_network=None' already exists", "error": "XOSValidationError"}"#,
        "Invalid A ServiceInstanceLink with attributes 'provider_service_instance=i2, subscriber_se",
    ),
    (
        Write,
        "UNKNOWN",
        r#"{"fields": {}, "specific_error": "Only one of subscriber_service, subscriber_service_instance, subscriber_network should be set", "error": "XOSMissingField"}"#,
        "Invalid Only one of subscriber_service, subscriber_service_instance, subscriber_network sh",
    ),
    (
        Write,
        "UNKNOWN",
        "Exception calling application: ServiceInstanceLink_decl has no provider_service_instance.",
        "Invalid ServiceInstanceLink_decl has no provider_service_instance.",
    ),
    (Read, "UNKNOWN", "Exception calling application: 'NoneType' object has no attribute 'id'", "Core"),
    (
        Read,
        "UNKNOWN",
        "Exception calling application: ServiceInstance matching query does not exist.",
        "NotFound 7",
    ),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 24}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 24",
    ),
    (
        Write,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 24}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 24",
    ),
    (
        Write,
        "PERMISSION_DENIED",
        r#"{"fields": {}, "specific_error": "User joe@example.com cannot access Site object 1 due to policy site_policy", "error": "XOSPermissionDenied"}"#,
        "Denied User joe@example.com cannot access Site object 1 due to policy site_policy",
    ),
    (
        Write,
        "UNKNOWN",
        r#"Exception calling application: 'ascii' codec can't encode character u'\xf3' in position 1: ordinal not in range(128)"#,
        "Invalid a text has the character u'\\xf3', which a core 4.0.4 stores but cannot send: it IS",
    ),
    (
        Read,
        "UNKNOWN",
        r#"Exception calling application: 'ascii' codec can't encode character u'\xf3' in position 1: ordinal not in range(128)"#,
        "Core",
    ),
    (
        Write,
        "UNKNOWN",
        r#"Exception calling application: 'ascii' codec can't encode character u'\xe9' in position 0: ordinal not in range(128)"#,
        "Invalid a text has the character u'\\xe9', which a core 4.0.4 stores but cannot send: it IS",
    ),
    (
        Onboard,
        "ALREADY_EXISTS",
        "ERROR_LIVE_MODELS",
        "Onboarding cannot be unloaded: they have live objects; delete these first, or unload with ",
    ),
    (
        Onboard,
        "ALREADY_EXISTS",
        "ERROR_DELETION_IN_PROGRESS",
        "Onboarding cannot be unloaded yet: their objects are being deleted; try again when these a",
    ),
    (Read, "UNAVAILABLE", "Connect Failed", "Away"),
    (Read, "UNAVAILABLE", "channel is in state TRANSIENT_FAILURE", "Away"),
    (
        Read,
        "NOT_FOUND",
        r#"{"fields": {"message": "Service matching query does not exist.", "id": 15}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 15",
    ),
    (Onboard, "DEADLINE_EXCEEDED", "Deadline Exceeded", "OutcomeUnknown"),
    (
        Write,
        "NOT_FOUND",
        r#"{"fields": {"message": "HelloWorldServiceInstance matching query does not exist.", "id": 7449}, "specific_error": "object not found", "error": "XOSNotFound"}"#,
        "NotFound 7449",
    ),
];

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
