//! The text of `xos.proto`.

use xos_model_client::models::{Site, core_models};
use xos_model_client::{Link, Model as _, ModelDef, Schema, XosModel};

use super::*;

/// Something to read.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "library", crate = xos_model_client)]
struct Book {
    #[xos(base)]
    base: xos_model_client::models::XosBase,
    /// What it is called
    #[xos(number = 1, max_length = 80)]
    title: String,
    /// Where it stands
    #[xos(number = 2, reverse = "books", reverse_number = 1500, gui_hidden)]
    site: Option<Link<Site>>,
    /// How thick it is
    #[xos(number = 3, feedback)]
    thickness: f32,
    /// When it was lent
    #[xos(number = 4)]
    lent: Option<xos_model_client::Timestamp>,
    /// Those who know it
    #[xos(number = 5, reverse = "read_books")]
    readers: xos_model_client::Links<xos_model_client::models::User>,
    /// How often it was lent
    #[xos(number = 6)]
    count: u32,
}

fn schema() -> Schema {
    let own: [&ModelDef; 1] = [Book::def()];
    Schema::new(core_models().chain(own)).unwrap()
}

/// A part of the text, from a line that starts like this to the next empty one.
fn part(text: &str, start: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(start));
    let part: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    part.join("\n")
}

#[test]
fn a_model_is_written_as_the_core_writes_it() {
    let text = xos_proto(&schema());
    let own: Vec<String> = part(&text, "message Book {")
        .lines()
        .map(str::to_owned)
        .filter(|line| !line.trim_start().starts_with("oneof") && line != "  }")
        .collect();
    // What it inherits is between its option and its own fields.
    assert_eq!(own[..2], ["message Book {", "  option (contentTypeId) = \"library.book\";"]);
    let first = own.iter().position(|line| line.contains("title")).unwrap();
    assert_eq!(
        own[first..],
        [
            "    string title = 101 [(val).maxLength = 80];",
            "    int32 site_id = 102 [(guiHidden) = true, (foreignKey).modelName = \"Site\", (foreignKey).reverseFieldName = \"books\"];",
            "    float thickness = 103 [(feedbackState) = true];",
            "    double lent = 104;",
            "  repeated int32 readers_ids = 105 [(manyToManyForeignKey).modelName = \"User\"];",
            "    uint32 count = 106;",
            "  string class_names = 2046 [(bookkeepingState) = true];",
            "  string self_content_type_id = 2047 [(bookkeepingState) = true];",
            "}",
        ]
    );
    assert!(text.contains("  oneof site_present {\n    int32 site_id = 102 "), "{text}");
    assert!(
        part(&text, "message Site {")
            .contains("  repeated int32 books_ids = 1500 [(reverseForeignKey).modelName = \"Book\"];")
    );
    assert_eq!(part(&text, "message Books {"), "message Books {\n  repeated Book items = 1;\n}");
}

#[test]
fn an_operation_says_where_clients_of_rest_find_it() {
    let text = xos_proto(&schema());
    let start = text.find("  rpc ListBook(").unwrap();
    let end = text.find("  rpc ListComputeServiceInstance(").unwrap();
    assert_eq!(
        &text[start..end],
        r#"  rpc ListBook(google.protobuf.Empty) returns (Books) {
    option (google.api.http) = {
      get: "/xosapi/v1/library/books"
    };
  }
  rpc FilterBook(Query) returns (Books);
  rpc GetBook(ID) returns (Book) {
    option (google.api.http) = {
      get: "/xosapi/v1/library/books/{id}"
    };
  }
  rpc CreateBook(Book) returns (Book) {
    option (google.api.http) = {
      post: "/xosapi/v1/library/books"
      body: "*"
    };
  }
  rpc UpdateBook(Book) returns (Book) {
    option (google.api.http) = {
      put: "/xosapi/v1/library/books/{id}"
      body: "*"
    };
  }
  rpc DeleteBook(ID) returns (google.protobuf.Empty) {
    option (google.api.http) = {
      delete: "/xosapi/v1/library/books/{id}"
    };
  }
"#
    );
}

#[test]
fn the_names_of_classes_are_those_of_the_core() {
    let schema = schema();
    let names = |model: &str| class_names(&schema, schema.model(model).unwrap());
    assert_eq!(names("Book"), "Book,XOSBase");
    assert_eq!(
        names("ComputeServiceInstance"),
        "ComputeServiceInstance,ComputeServiceInstance_decl,ServiceInstance,ServiceInstance_decl,XOSBase"
    );
    assert_eq!(self_content_type(schema.model("Site").unwrap()), "core.site_decl");
}
