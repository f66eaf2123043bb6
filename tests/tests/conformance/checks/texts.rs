//! Texts come back as they were.

use xos_model_client::{Caller, Operator, Query, Value};

use crate::subject::Subject;
use crate::tools::{fault_of, text, thing};

/// Writes and reads texts, in every way.
async fn come_back(subject: &Subject, texts: &[&str]) {
    subject.load(vec![thing()]).await;
    for value in texts {
        let id = subject.create("Thing", &[("title", (*value).into())]).await;
        assert_eq!(text(&subject.get("Thing", id).await, "title"), *value);
        let both = [("story", Value::from(*value)), ("backend_register", (*value).into())];
        subject.set("Thing", id, &both, Caller::Step).await;
        let record = subject.get("Thing", id).await;
        assert_eq!(text(&record, "story"), *value);
        let by = |operator| crate::tools::on("title", operator, *value);
        let query = Query::live(subject.shape("Thing"));
        for operator in [Operator::Equal, Operator::Contains] {
            assert!(
                subject.ids(query.clone().with(by(operator))).await.contains(&id),
                "{operator:?} {value}"
            );
        }
    }
    let listed = subject.all(&Query::live(subject.shape("Thing"))).await;
    assert_eq!(listed.iter().map(|record| text(record, "title")).collect::<Vec<_>>(), texts);
}

pub(crate) async fn odd_texts_come_back_as_they_were(subject: &Subject) {
    let texts = [
        "'",
        "\"",
        "\\",
        "\\n",
        "a\nb\r\nc\t",
        " both ends ",
        "'; DROP TABLE x; --",
        "%s %d {} {0}",
        "u'x'",
        "None",
        "null",
        "{\"a\": [1, 2]}",
        "\u{1}\u{1f}\u{7f}",
        "$1 ?1 :a @b",
        "// x // y",
        "-0",
        "1e5",
        "\\u0000",
    ];
    come_back(subject, &texts).await;
}

pub(crate) async fn texts_outside_of_ascii_come_back_as_they_were(subject: &Subject) {
    let texts = [
        "größe",
        "Ελλάδα",
        "中文",
        "🙂🏳️‍🌈",
        "e\u{301}",
        "\u{feff}bom",
        "\u{202e}rtl",
        "ﬀ ß ẞ İ ı",
        "\u{10ffff}",
        "\u{80}",
    ];
    come_back(subject, &texts).await;
    let found =
        Query::live(subject.shape("Thing")).with(crate::tools::on("title", Operator::IContains, "GRÖSSE"));
    assert_eq!(subject.ids(found).await, [], "ß is no ss");
    let found =
        Query::live(subject.shape("Thing")).with(crate::tools::on("title", Operator::IExact, "GRÖßE"));
    assert_eq!(subject.ids(found).await.len(), 1);
    let short = [("short", Value::from("größe"))];
    let id = subject.create("Thing", &short).await;
    assert_eq!(
        text(&subject.get("Thing", id).await, "short"),
        "größe",
        "five characters are five characters"
    );
    fault_of(&subject.refused("Thing", &[("short", "größer".into())]).await, "short");
}

pub(crate) async fn a_text_with_nul_is_refused(subject: &Subject) {
    subject.load(vec![thing()]).await;
    fault_of(&subject.refused("Thing", &[("title", "a\0b".into())]).await, "title");
    let id = subject.create("Thing", &[("title", "t".into())]).await;
    let error = subject.try_set("Thing", id, &[("story", "\0".into())], Caller::Step).await.unwrap_err();
    fault_of(&error, "story");
}

pub(crate) async fn a_long_text_comes_back_whole(subject: &Subject) {
    subject.load(vec![thing()]).await;
    let long: String = (0..200_000).map(|at: u32| char::from(b' ' + (at * 7 % 95) as u8)).collect();
    let id = subject.create("Thing", &[("story", long.as_str().into())]).await;
    assert!(text(&subject.get("Thing", id).await, "story") == long);
    let longer = format!("{long}{long}");
    subject.set("Thing", id, &[("story", longer.as_str().into())], Caller::Client).await;
    assert!(text(&subject.get("Thing", id).await, "story") == longer);
}
