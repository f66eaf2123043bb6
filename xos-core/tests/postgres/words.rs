//! What the two stores might understand differently, and do not.

use regex::Regex;
use tokio_postgres::{Client, NoTls};
use xos_core::{EmbeddedCore, Options};
use xos_model_client::{Condition, Kind, ModelAccessor, Operator, Page, Query, Value};

use crate::common::*;

async fn sql(schema: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&url(""), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("SET search_path TO {schema}")).await.unwrap();
    client
}

fn query(core: &EmbeddedCore, operator: Operator, value: &str) -> Query {
    let condition = Condition { field: "name".into(), operator, value: value.into(), invert: false };
    Query { conditions: vec![condition], ..Query::live(shape(core, "Service")) }
}

#[tokio::test]
async fn case_is_folded_as_in_the_other_store() {
    let schema = new_schema();
    let _core = EmbeddedCore::connect(&url(&format!("schema={schema}")), Options::default()).unwrap();
    let client = sql(&schema).await;
    let all: String = ('\u{1}'..=char::MAX).collect();
    let folded: String = all.chars().flat_map(char::to_lowercase).collect();
    let row = client.query_one("SELECT xos_fold($1)", &[&all]).await.unwrap();
    assert!(row.get::<_, &str>(0) == folded);
    let row = client.query_one("SELECT xos_fold($1), xos_fold(NULL)", &[&"HeLLo"]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (Some("hello"), None::<&str>));
}

#[tokio::test]
async fn patterns_match_the_same_texts_as_in_the_other_store() {
    let core = memory();
    let texts = [
        "a",
        "abc",
        "ABC",
        "straße",
        "STRASSE",
        "ärger Über",
        "x.y",
        "x\ny",
        "a_b-c",
        "12 ٣",
        "Ж",
        "ж",
        "kK\u{212a}",
        "aaaa",
        "[]{}()*+?|^$\\",
        "tab\there",
        "日本語",
        "e\u{301}",
        "-",
        "a-b",
    ];
    for text in texts {
        create(&core, "Service", &[("name", text.into())]).await.unwrap();
    }
    let patterns = [
        "",
        "a",
        "^a",
        "a$",
        "^a.c$",
        "x.y",
        "(?s)x.y",
        "(?m)^y$",
        "\\w+",
        "^\\w+$",
        "\\d",
        "^\\d+ \\d$",
        "\\s",
        "\\bb\\b",
        "\\Bb",
        "[^a]",
        "^[^a]*$",
        "[а-я]",
        "ß",
        "\\p{Lu}",
        "\\p{Greek}|\\p{Han}",
        "a{2,3}",
        "^(?:a{4})$",
        "a{300}",
        "(a|A)(b|B)",
        "\\[\\]",
        "\\\\",
        "^[\\]\\[]",
        "(?i:straße)",
        "(?i)k",
        ".*",
        "^$",
        "(?:)",
        "[a-c&&[^b]]",
        "\\x{4e00}|日",
        "(?-u:\\w)",
        "\\t",
        "-",
        "(?m)x$",
    ];
    for pattern in patterns {
        for (operator, text_of) in
            [(Operator::Regex, pattern.to_owned()), (Operator::IRegex, format!("(?i){pattern}"))]
        {
            let regex = Regex::new(&text_of).unwrap();
            let expected: Vec<&str> = texts.into_iter().filter(|text| regex.is_match(text)).collect();
            let found = core.find(&query(&core, operator, pattern), Page::first(100)).await.unwrap();
            let found: Vec<String> = found.records.iter().map(|record| text(record, "name")).collect();
            assert_eq!(found, expected, "{pattern:?} {operator:?}");
        }
    }
}

#[tokio::test]
async fn the_character_nul_is_refused_and_names_the_field() {
    let core = memory();
    let error = create(&core, "Service", &[("name", "a\0b".into())]).await.unwrap_err();
    assert!(fault_of(&error, "name").contains("NUL"), "{error}");
    for operator in [Operator::Equal, Operator::Contains, Operator::IExact, Operator::Regex] {
        let error = core.find(&query(&core, operator, "a\0"), Page::default()).await.unwrap_err().to_string();
        assert!(error.contains("NUL") && error.contains("name"), "{error}");
    }
    let error = core.remember("a\0", "b", Some(1.into())).await.unwrap_err();
    assert!(error.to_string().contains("NUL"), "{error}");
    core.remember("a", "b", Some("x\0y".into())).await.unwrap();
    assert_eq!(core.recall_one("a", "b").await.unwrap(), Some("x\0y".into()));
    a_service(&core, "goes on").await;
}

#[tokio::test]
async fn names_that_are_long_or_taken_stay_distinct() {
    let core = memory();
    let long = "Name".repeat(20);
    let named = |last: &str| {
        let fields = vec![
            xos_model_client::FieldDef {
                unique: true,
                ..field(1, &format!("{}_one", "f".repeat(70)), Kind::Text)
            },
            xos_model_client::FieldDef {
                unique: true,
                ..field(2, &format!("{}_two", "f".repeat(70)), Kind::Text)
            },
            field(3, "xmin", Kind::Int32),
            field(4, "User", Kind::Text),
            links(5, &"list".repeat(20), "Service"),
        ];
        model(&format!("{long}{last}"), "XOSBase", fields)
    };
    load(&core, vec![named("One"), named("Two")]).await.unwrap();
    let (one, two) = (format!("{}_one", "f".repeat(70)), format!("{}_two", "f".repeat(70)));
    let service = a_service(&core, "s").await.id;
    for last in ["One", "Two"] {
        let model = format!("{long}{last}");
        let fields: [(&str, Value); 5] = [
            (&one, "a".into()),
            (&two, "b".into()),
            ("xmin", 5.into()),
            ("User", "me".into()),
            (&"list".repeat(20), Value::Links(vec![service])),
        ];
        let record = create(&core, &model, &fields).await.unwrap();
        for (field, value) in &fields {
            assert_eq!(record.get(field), Some(value), "{field}");
        }
        let error = create(&core, &model, &[(&one, "a".into())]).await.unwrap_err();
        assert!(fault_of(&error, &one).contains("unique"), "{error}");
    }
}

#[tokio::test]
async fn a_text_that_no_index_holds_names_its_field() {
    let core = memory();
    let name: String = (0..6000_u32).filter_map(|at| char::from_u32(0x4e00 + at)).collect();
    let unique =
        xos_model_client::FieldDef { unique: true, max_length: None, ..field(1, "code", Kind::Text) };
    load(&core, vec![model("Coded", "XOSBase", vec![unique])]).await.unwrap();
    let writes = vec![
        a_create(&core, "Coded", &[("code", "short".into())]),
        a_create(&core, "Coded", &[("code", name.as_str().into())]),
        a_create(&core, "Coded", &[("code", "other".into())]),
    ];
    let answers = core.write(writes).await;
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert!(fault_of(answers[1].as_ref().unwrap_err(), "code").contains("too long"));
    assert_eq!(ids(&core, Query::live(shape(&core, "Coded"))).await.len(), 2);
}

#[tokio::test]
async fn a_schema_of_another_program_or_of_a_newer_version_is_refused() {
    let schema = new_schema();
    let place = url(&format!("schema={schema}"));
    let client = sql("public").await;
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.letters (x text)"))
        .await
        .unwrap();
    let error = EmbeddedCore::connect(&place, Options::default()).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
    client.batch_execute(&format!("DROP TABLE {schema}.letters")).await.unwrap();
    drop(EmbeddedCore::connect(&place, Options::default()).unwrap());
    client
        .batch_execute(&format!("UPDATE {schema}._state SET value = 99 WHERE key = 'format'"))
        .await
        .unwrap();
    let error = EmbeddedCore::connect(&place, Options::default()).unwrap_err().to_string();
    assert!(error.contains("newer version") && error.contains("format 99"), "{error}");
}
