//! What the tasks of a playbook did.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::mask::Mask;

/// The most tasks that are remembered; later ones count all the same.
const MOST_TASKS: usize = 10_000;

/// The longest message of one task in an error.
const LONGEST_MESSAGE: usize = 600;

/// What the tasks of a playbook did. Values of secrets are masked.
#[derive(Clone, Debug, Default)]
pub struct Results {
    tasks: Vec<TaskResult>,
    left_out: usize,
    hosts: Option<BTreeMap<String, Counts>>,
    no_hosts: Vec<String>,
    running: Option<String>,
}

/// What one task did on a host.
#[derive(Clone, Debug)]
pub struct TaskResult {
    /// The name of the task, or of its module where it has none.
    pub task: String,
    /// The host, as the inventory calls it.
    pub host: String,
    /// How it went.
    pub status: TaskStatus,
    /// What the module returned: what `register:` would hold.
    pub value: Json,
}

/// How a task went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskStatus {
    /// There was nothing to do.
    Ok,
    /// It changed something.
    Changed,
    /// It was not to run.
    Skipped,
    /// It failed.
    Failed,
    /// It failed, and the playbook says that this does not matter.
    Ignored,
    /// Its host was not reached.
    Unreachable,
}

/// Ansible's own counts for a host.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Counts {
    failures: u64,
    unreachable: u64,
}

/// One line of our callback.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Start { task: String },
    Ok(Done),
    Failed(Done),
    Unreachable(Done),
    Skipped(Done),
    NoHosts { play: String },
    Stats { hosts: BTreeMap<String, Counts> },
}

#[derive(Deserialize)]
struct Done {
    host: String,
    task: String,
    #[serde(default)]
    changed: bool,
    #[serde(default)]
    ignored: bool,
    result: Json,
}

impl Results {
    /// The result of each task, in order.
    pub fn tasks(&self) -> &[TaskResult] {
        &self.tasks
    }

    /// The last result of the task with this name.
    pub fn task(&self, name: &str) -> Option<&TaskResult> {
        self.tasks.iter().rev().find(|task| task.task == name)
    }

    /// How many tasks went this way.
    pub fn count(&self, status: TaskStatus) -> usize {
        self.tasks.iter().filter(|task| task.status == status).count()
    }

    /// Whether the playbook changed anything.
    pub fn changed(&self) -> bool {
        self.tasks.iter().any(|task| task.status == TaskStatus::Changed)
    }

    /// Takes in one line of the callback. A line that is none of its is left out.
    pub(super) fn add(&mut self, line: &str, mask: &Mask) -> Option<&TaskResult> {
        let mut line: Json = serde_json::from_str(line).ok()?;
        mask.json(&mut line);
        let (done, status) = match serde_json::from_value(line).ok()? {
            Event::Start { task } => {
                self.running = Some(task);
                return None;
            }
            Event::Stats { hosts } => {
                self.hosts = Some(hosts);
                return None;
            }
            Event::NoHosts { play } => {
                self.no_hosts.push(play);
                return None;
            }
            Event::Ok(done) if done.changed => (done, TaskStatus::Changed),
            Event::Ok(done) => (done, TaskStatus::Ok),
            Event::Failed(done) if done.ignored => (done, TaskStatus::Ignored),
            Event::Failed(done) => (done, TaskStatus::Failed),
            Event::Unreachable(done) => (done, TaskStatus::Unreachable),
            Event::Skipped(done) => (done, TaskStatus::Skipped),
        };
        if self.tasks.len() >= MOST_TASKS {
            self.left_out += 1;
            // What failed is what people ask about.
            if !matches!(status, TaskStatus::Failed | TaskStatus::Unreachable) {
                return None;
            }
        }
        self.tasks.push(TaskResult { task: done.task, host: done.host, status, value: done.result });
        self.tasks.last()
    }

    /// The task that was begun last.
    pub(super) fn running(&self) -> Option<&str> {
        self.running.as_deref()
    }

    /// How many results were not kept.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    /// What went wrong, by all that is known: nothing only if Ansible counted hosts, and none of them failed.
    pub(super) fn problem(&self, code: Option<i32>, last_lines: &str, inventory: &str) -> Option<String> {
        let none = BTreeMap::new();
        let hosts = self.hosts.as_ref().unwrap_or(&none);
        let bad = |counts: &Counts| counts.failures + counts.unreachable > 0;
        let failed = hosts.values().any(bad);
        if code == Some(0) && !failed && !hosts.is_empty() && self.no_hosts.is_empty() {
            return None;
        }
        let mut texts: Vec<String> = Vec::new();
        let mut say = |text: String| {
            if !texts.contains(&text) {
                texts.push(text);
            }
        };
        for task in &self.tasks {
            match task.status {
                TaskStatus::Failed => say(format!("{}: {}: {}", task.host, task.task, task.message())),
                TaskStatus::Unreachable => say(format!("{}: unreachable: {}", task.host, task.message())),
                _ => {}
            }
        }
        if texts.is_empty() {
            for (host, counts) in hosts.iter().filter(|(_, counts)| bad(counts)) {
                let what = if counts.unreachable > 0 { "unreachable" } else { "failures" };
                texts.push(format!("Ansible playbook reported {what} for host {host}"));
            }
        }
        if texts.is_empty() {
            for play in &self.no_hosts {
                texts.push(format!(
                    "the play \"{play}\" matches no host; the only one is {inventory}: write hosts: \"{{{{ \
                     instance_name }}}}\""
                ));
            }
        }
        if texts.is_empty() {
            let how = match code {
                Some(0) => "ended without having run anything".to_owned(),
                Some(code) => format!("ended with code {code}"),
                None => "was killed".to_owned(),
            };
            let last_lines = if last_lines.is_empty() { "it said nothing" } else { last_lines };
            texts.push(format!("ansible-playbook {how}: {last_lines}"));
        }
        Some(texts.join(" // "))
    }
}

impl TaskResult {
    /// What the task said, for people.
    pub fn message(&self) -> String {
        let text = message(&self.value);
        // Shown in one line.
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text = lines.join(" / ");
        match text.char_indices().nth(LONGEST_MESSAGE) {
            Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
            None => text,
        }
    }
}

/// The most telling part of a module's answer.
fn message(value: &Json) -> String {
    let get = |name: &str| match value.get(name) {
        Some(Json::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(Json::Array(_) | Json::Object(_)) if name == "msg" => value.get(name).map(Json::to_string),
        _ => None,
    };
    let items = value.get("results").and_then(Json::as_array);
    let failed: Vec<String> = items
        .into_iter()
        .flatten()
        .filter(|item| {
            item.get("failed") == Some(&Json::Bool(true))
                || item.get("unreachable") == Some(&Json::Bool(true))
        })
        .take(3)
        .map(|item| match item.get("item") {
            Some(Json::String(name)) => format!("item {name}: {}", message(item)),
            Some(name) if !name.is_null() => format!("item {name}: {}", message(item)),
            _ => message(item),
        })
        .collect();
    if !failed.is_empty() {
        return failed.join("; ");
    }
    if let Some(censored) = get("censored") {
        return censored;
    }
    let Some(text) = get("msg").or_else(|| get("reason")) else {
        let others = ["module_stderr", "stderr", "module_stdout", "stdout", "exception"];
        return others.iter().find_map(|name| get(name)).unwrap_or_else(|| "it did not say why".to_owned());
    };
    // "non-zero return code" alone helps nobody.
    let more = ["stderr", "module_stderr", "module_stdout", "stdout"].iter().find_map(|name| get(name));
    let code = value.get("rc").and_then(Json::as_i64).filter(|code| *code != 0);
    match (code, more) {
        (Some(code), Some(more)) if !text.contains(&more) => format!("{text} {code}: {more}"),
        (Some(code), None) => format!("{text} {code}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
