//! What is said of texts that are no xproto, and of xproto that a core would not take: a file for each, beside the
//! text.

use std::fmt::Write as _;

use xos_model_client::xproto;

use crate::{fixture, read, same_as_file};

fn texts(folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(fixture(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut texts: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".xproto").map(str::to_owned)).collect();
    texts.sort();
    assert!(!texts.is_empty());
    texts
}

#[test]
fn syntax_errors_point_into_the_file() {
    for name in texts("errors") {
        let text = read(&format!("errors/{name}.xproto"));
        let errors = xproto::parse(&format!("{name}.xproto"), &text).unwrap_err();
        same_as_file(&format!("errors/{name}.txt"), &format!("{errors}\n"));
    }
}

#[test]
fn findings_say_what_to_do() {
    for name in texts("findings") {
        let text = read(&format!("findings/{name}.xproto"));
        let document = xproto::parse(&format!("{name}.xproto"), &text).unwrap();
        let mut found = String::new();
        for finding in &document.check() {
            writeln!(found, "{finding}  ({:?})", finding.rule).unwrap();
        }
        same_as_file(&format!("findings/{name}.txt"), &found);
    }
}

#[test]
fn what_definitions_cannot_say_is_an_error_at_its_place() {
    let text = "message A (XOSBase, Service, Nothing) {
    repeated string many = 1 [default = 5];
    required int64 wide = 2;
    required onetoone one->Site:ones = 3:2000;
    required int32 number = 300 [default = \"x\", max_length = ten];
    required bool flag = 4 [default = Yes, unique = 1];
    required float real = 4 [default = True];
    required string when = 6 [content_type = \"date\", default = \"tomorrow\"];
    required manytoone site->Site:as = 7:5 [default = 5, tosca_key_one_of = \"a,b\"];
    option validators = \"a,b:c\";
}";
    let findings = xproto::parse("a.xproto", text).unwrap().models().unwrap_err();
    same_as_file("findings/models.txt", &format!("{findings}\n"));
}
