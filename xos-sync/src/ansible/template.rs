//! Rendering a playbook's template.

use std::path::Path;

use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::{Map, Value as Json};

use super::playbook::Playbook;

/// What Ansible evaluates.
const MARKERS: [&str; 3] = ["{{", "{%", "{#"];

/// The most steps that one rendering may take: a template's loop has an end.
const LARGEST: usize = 16 << 20;

/// Whether the text is a template at all.
pub(super) fn check(playbook: &Playbook) -> Result<(), String> {
    let text = playbook.read()?;
    let environment = environment(playbook.beside(), &text);
    environment
        .template_from_named_str(playbook.name(), &text)
        .map(drop)
        .map_err(|error| explained(&error, playbook.name(), &text))
}

/// The playbook with the variables put in.
pub(super) fn render(playbook: &Playbook, variables: &Map<String, Json>) -> Result<String, String> {
    let text = playbook.read()?;
    let environment = environment(playbook.beside(), &text);
    let rendered = environment
        .template_from_named_str(playbook.name(), &text)
        .and_then(|template| template.render(Value::from(minijinja::value::Serde(variables))))
        .map_err(|error| explained(&error, playbook.name(), &text))?;
    if rendered.len() > LARGEST {
        return Err(format!(
            "{}: the rendered playbook is larger than {} MiB",
            playbook.name(),
            LARGEST >> 20
        ));
    }
    Ok(rendered)
}

fn environment<'a>(folder: Option<&Path>, text: &str) -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // YAML has no escape that fits everywhere.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // For the place of an error in the text; what else the error knows then is not printed.
    environment.set_debug(true);
    let text = text.to_owned();
    environment.set_formatter(move |out, state, value| write(out, state, value, &text));
    environment.add_filter("to_json", |value: Value| {
        serde_json::to_string(&value)
            .map(Value::from_safe_string)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("this cannot be JSON: {error}")))
    });
    if let Some(folder) = folder {
        let folder = folder.to_owned();
        environment.set_loader(move |name| load(&folder, name));
    }
    environment
}

/// A template to include: never one from outside of the folder, also not through a symbolic link.
fn load(folder: &Path, name: &str) -> Result<Option<String>, Error> {
    let refused = |what: String| Error::new(ErrorKind::InvalidOperation, what);
    let found = match folder.join(name).canonicalize() {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(format!("cannot include {name}: {error}"))),
    };
    let inside = folder.canonicalize().is_ok_and(|folder| found.starts_with(folder));
    if !inside {
        return Err(refused(format!("cannot include {name}: it is outside of {}", folder.display())));
    }
    match std::fs::read_to_string(&found) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(refused(format!("cannot include {name}: {error}"))),
    }
}

/// Writes a value, unless it would become more than a value: a line of YAML, or an expression that Ansible evaluates.
///
/// What stands in the template itself, such as `{{ '{{ ansible_host }}' }}`, comes from the author.
fn write(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
    template: &str,
) -> Result<(), Error> {
    if let Some(text) = value.as_str()
        && !template.contains(text)
    {
        let refused = |what: &str| Error::new(ErrorKind::InvalidOperation, what.to_owned());
        if MARKERS.iter().any(|marker| text.contains(marker)) {
            return Err(refused("the value has {{, {% or {# in it, which Ansible would evaluate"));
        }
        if !value.is_safe() && text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            return Err(refused("the value has more than one line, and could become more YAML than meant"));
        }
    }
    minijinja::escape_formatter(out, state, value)
}

/// The expression at a place, from its beginning: the place of `b` in `a.b` is `.b`.
fn whole(source: &str, range: std::ops::Range<usize>) -> Option<&str> {
    let before = source.get(..range.start)?;
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let start = before.trim_end_matches(is_path).len();
    let start = if source.get(range.start..)?.starts_with(['.', '[']) { start } else { range.start };
    source.get(start..range.end)
}

/// The error with its place. Its own text never goes out with more of the variables than their names.
fn explained(error: &Error, name: &str, text: &str) -> String {
    let name = error.name().unwrap_or(name);
    let place = match error.line() {
        Some(line) => format!("{name}:{line}"),
        None => name.to_owned(),
    };
    let source = error.template_source().unwrap_or(text);
    let expression = error.range().and_then(|range| whole(source, range)).map(str::trim).unwrap_or_default();
    let raw = |expression: &str| format!("{{% raw %}}{{{{ {expression} }}}}{{% endraw %}}");
    match error.kind() {
        ErrorKind::UndefinedError if !expression.is_empty() => format!(
            "{place}: the variable {expression} is not set; give it as an extra attribute, or, if it is one of \
             Ansible's own, write {}",
            raw(expression)
        ),
        ErrorKind::InvalidOperation
            if error.detail().is_some_and(|detail| detail.starts_with("the value has ")) =>
        {
            format!(
                "{place}: {}: {expression}; leave it to Ansible, which has the same variables: {}",
                error.detail().unwrap_or_default(),
                raw(expression)
            )
        }
        kind => {
            let detail =
                error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"));
            match expression {
                "" => format!("{place}: {detail}"),
                expression => format!("{place}: {detail}, in {expression}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rendered(text: &str, variables: Json) -> Result<String, String> {
        let Json::Object(variables) = variables else { return Err("not a map".to_owned()) };
        render(&Playbook::text(text.to_owned()).named("web.yaml"), &variables)
    }

    #[test]
    fn variables_are_put_in_and_raw_is_left_to_ansible() {
        let text = "a: {{ name }}\nb: {% raw %}{{ item }}{% endraw %}\nc: {{ '{{ other }}' }}\n";
        assert_eq!(rendered(text, json!({"name": "x"})).unwrap(), "a: x\nb: {{ item }}\nc: {{ other }}");
    }

    #[test]
    fn an_undefined_variable_is_named_with_its_line() {
        let error = rendered("a: 1\nb: {{ tenant_mesage }}\n", json!({"tenant_message": "x"})).unwrap_err();
        assert_eq!(
            error,
            "web.yaml:2: the variable tenant_mesage is not set; give it as an extra attribute, or, if it is one of \
             Ansible's own, write {% raw %}{{ tenant_mesage }}{% endraw %}"
        );
        let attribute = rendered("{{ o.b.c }}", json!({"o": {}})).unwrap_err();
        assert!(attribute.starts_with("web.yaml:1: the variable o.b.c is not set"), "{attribute}");
        assert_eq!(rendered("{{ x | default('none') }}", json!({})).unwrap(), "none");
    }

    #[test]
    fn a_value_never_becomes_more_than_a_value() {
        let evaluated = rendered("a: {{ m }}\n", json!({"m": "{{ lookup('pipe', 'id') }}"})).unwrap_err();
        assert!(evaluated.starts_with("web.yaml:1: the value has {{, {% or {# in it"), "{evaluated}");
        assert!(evaluated.ends_with("{% raw %}{{ m }}{% endraw %}"), "{evaluated}");
        assert!(!evaluated.contains("lookup"), "{evaluated}");
        let lines = rendered("a: {{ m }}\n", json!({"m": "x\n- hosts: all"})).unwrap_err();
        assert!(lines.starts_with("web.yaml:1: the value has more than one line"), "{lines}");
        assert_eq!(
            rendered("a: {{ m | to_json }}\n", json!({"m": "x\n\"y\""})).unwrap(),
            "a: \"x\\n\\\"y\\\"\""
        );
        assert!(rendered("a: {{ m | to_json }}\n", json!({"m": "{{ x }}"})).is_err());
    }

    #[test]
    fn a_template_that_is_none_says_where() {
        let error = check(&Playbook::text("a: 1\nb: {{ x\n").named("web.yaml")).unwrap_err();
        assert!(error.starts_with("web.yaml:"), "{error}");
        let error = rendered("{% include 'other.yaml' %}", json!({})).unwrap_err();
        assert!(error.contains("other.yaml"), "{error}");
    }

    #[test]
    fn only_what_is_beside_a_file_is_included() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(folder.path().join("secret"), "outside").unwrap();
        std::fs::write(inside.join("task.yaml"), "task: {{ x }}").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("link")).unwrap();
        let included = |name: &str| {
            std::fs::write(inside.join("web.yaml"), format!("{{% include '{name}' %}}")).unwrap();
            let variables = Map::from_iter([("x".to_owned(), json!(1))]);
            render(&Playbook::file(inside.join("web.yaml")), &variables)
        };
        assert_eq!(included("task.yaml").unwrap(), "task: 1");
        for outside in ["../secret", "link", "/etc/passwd"] {
            let error = included(outside).unwrap_err();
            assert!(error.contains("it is outside of"), "{error}");
        }
    }
}
