//! The page `docs/config.md`, written from the key table.

use std::fmt::Write as _;

use super::keys::{self, Key, Kind, Standing};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from xos-sync/src/config; the test `the_page_is_current` says how to write it anew. -->

Without any configuration a synchronizer uses the embedded core: `cargo run` is enough. Everything else is said in
a config file (YAML), which is the one of the Python framework with one section more, `engine`, and more keys.

## Where settings come from

Each source is laid over the ones before it:

1. the defaults below;
2. the config file: `-C PATH`, else the file that `XOS_CONFIG_FILE` names, else none;
3. the override file: the file that `XOS_OVERRIDE_CONFIG_FILE` names, else `mounted_config.yaml` beside the config
   file, if it exists;
4. environment variables, one per key: `XOS_SYNC_`, then the key in capitals, with two underscores for each dot.
   `XOS_SYNC_ENGINE__CONCURRENCY=8` is `engine.concurrency: 8`. Lists are separated by commas, an empty variable counts
   as unset. Sections and keys with a `*` can only be set in a file. A variable with two underscores that names no key
   is an error, any other unknown `XOS_SYNC_` variable a warning;
5. flags: `--db PATH` is `accessor.kind: embedded` with `accessor.database: PATH` (a URL with a password is refused there); `--log-level LEVEL`, or the variable
   `XOS_SYNC_LOG_LEVEL`, sets the level of all log outputs.

An override is **merged key by key**, at every depth; lists and single values are replaced. (The Python framework took
a whole section from one file or the other, and could not override with `false`, `0` or an empty text; here it can.) A
key without a value leaves the value below it in force.

A **relative path** in a file is relative to the folder of that file; in a variable or flag, to the current folder.

**Durations** are written with a unit: `500 ms`, `5 s`, `10m`, `5 minutes`, `1 h 30 min`. A number alone is an error.

Unknown keys, wrong types and values out of range are errors that name key, file and line; the program ends with exit
code 78. All are reported at once. No message holds a password.

`VERSION`, a file beside the config file: its first line is the version of the synchronizer, unless the program says
its own.
";

const ACCESSOR: &str = "\
Without `accessor.kind`: a remote core where `accessor.endpoint` is given, else the embedded one. A file that gives a
user name or password but no endpoint, or an endpoint and a database, must say the kind.

An embedded core on a database file serves itself on a Unix socket beside that file while the program runs, so that `apply`,
`list`, `explain` and other gRPC clients of the same user can be used at the same time. Programs that are to share a core
name it by its socket: `accessor.endpoint: unix:/path/to/hello-world.db.sock`.
";

const EVENT_BUS: &str = "\
Without this section, events stay in this process. With `kind: kafka` every event step has a consumer group of its own,
`<name>.<step>`; several programs with the same name share its events. Brokers that are away, and topics that do not exist
yet, are waited for.
";

const LOGGING: &str = "\
A Python logging dictionary. Of its loggers `multistructlog` decides, with the root logger (`''`, or `root`) behind it.
Levels are `CRITICAL`, `ERROR`, `WARNING`, `INFO`, `DEBUG`, `TRACE` and `NOTSET`, or Python's numbers for them. `*`
stands for a name of your choice. Libraries under this SDK are not logged below `WARNING`.
";

const ANSIBLE: &str = "\
For programs with steps that run playbooks. `sys_dir`, `keep_temp_files`, `save_ansible_output` and `node_key` are
under General.
";

const IGNORED: &str = "\
Files of the Python framework load unchanged. These keys are checked for their type and then do nothing; each is
logged once, as a warning.
";

/// The text of `docs/config.md`: every key with type, unit, default and meaning.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (heading, section, introduction) in [
        ("General", "", ""),
        ("`accessor`: the core", "accessor", ACCESSOR),
        ("`engine`: how steps run", "engine", ""),
        ("`event_bus`: events", "event_bus", EVENT_BUS),
        ("`ansible`: how playbooks run", "ansible", ANSIBLE),
        ("`proxy_ssh`: hosts behind another one", "proxy_ssh", ""),
        ("`logging`: log lines", "logging", LOGGING),
    ] {
        let _ = write!(page, "\n## {heading}\n\n");
        if !introduction.is_empty() {
            page.push_str(introduction);
            page.push('\n');
        }
        page.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        let rows = keys::all().filter(|key| key.section() == section && key.is_documented());
        rows.for_each(|key| page.push_str(&row(key)));
    }
    let _ =
        write!(page, "\n## Accepted and without effect\n\n{IGNORED}\n| key | type | why |\n|---|---|---|\n");
    for key in keys::all() {
        if let Standing::Ignored(why) = key.standing {
            let _ = writeln!(page, "| `{}` | {} | {why} |", key.path, key.kind.describe());
        }
    }
    page
}

fn row(key: &Key) -> String {
    let default = match key.default {
        "" => "none".to_owned(),
        words
            if words.contains(' ') && !words.starts_with(|c: char| c.is_ascii_digit())
                || words == "required" =>
        {
            words.to_owned()
        }
        value => format!("`{value}`"),
    };
    format!("| `{}` | {} | {default} | {} |\n", key.path, key.kind.describe(), key.doc.trim())
}

impl Key {
    fn section(&self) -> &'static str {
        match self.path.split_once('.') {
            Some((section, _)) => section,
            None if matches!(self.kind, Kind::Section) => self.path,
            None => "",
        }
    }

    /// Sections speak for themselves; what is ignored has a table of its own.
    fn is_documented(&self) -> bool {
        let plain = !matches!(self.kind, Kind::Section) || self.path.contains('.');
        plain && !self.doc.is_empty() && !matches!(self.standing, Standing::Ignored(_))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn page() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.md")
    }

    /// Absent only in a packaged crate, which has no folder `docs` beside it.
    #[test]
    fn the_page_is_current() {
        let Ok(written) = std::fs::read_to_string(page()) else {
            assert!(!page().with_file_name("").exists(), "docs/config.md is missing");
            return;
        };
        let command = "cargo test -p xos-sync --lib write_the_page -- --ignored";
        assert!(written == reference(), "docs/config.md is not current; write it with: {command}");
    }

    #[test]
    #[ignore = "writes docs/config.md"]
    fn write_the_page() {
        std::fs::write(page(), reference()).unwrap();
    }

    #[test]
    fn every_key_is_on_the_page() {
        let page = reference();
        for key in keys::all() {
            let below_ignored = key.standing == Standing::Silent && key.doc.is_empty();
            let heading = matches!(key.kind, Kind::Section) && !key.path.contains('.');
            assert!(
                below_ignored || heading || page.contains(&format!("| `{}` |", key.path)),
                "{}",
                key.path
            );
        }
    }
}
