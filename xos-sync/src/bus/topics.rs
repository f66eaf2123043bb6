//! Which topics somebody is interested in.

use regex::Regex;

use super::BusError;

/// What the names of topics for dead letters end with. No pattern matches them: a step whose pattern did would be given
/// what it gave up.
const DEAD: &str = ".dead";

/// What the names of a broker's own topics begin with.
const INTERNAL: &str = "__";

/// Which topics somebody is interested in.
#[derive(Clone, Debug)]
pub(crate) enum Topics {
    /// These.
    Named(Vec<String>),
    /// All that match, also those that do not exist yet.
    Pattern(TopicPattern),
}

/// A regular expression that the beginning of a topic's name must match, as with Kafka: `onu\..*` and `^onu\.` are
/// the same; `$` stands for the end. Topics for dead letters and a broker's own never match.
#[derive(Clone, Debug)]
pub(crate) struct TopicPattern {
    text: String,
    regex: Regex,
}

impl TopicPattern {
    /// # Errors
    ///
    /// What is no regular expression.
    pub(crate) fn new(text: &str) -> Result<Self, BusError> {
        let regex = Regex::new(text).map_err(|error| {
            BusError::refused(format!("the pattern {text:?} of topics"), error.to_string().replace('\n', " "))
        })?;
        Ok(TopicPattern { text: text.to_owned(), regex })
    }

    /// The text as it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn matches_start(&self, topic: &str) -> bool {
        self.regex.find(topic).is_some_and(|found| found.start() == 0)
    }

    pub(crate) fn matches(&self, topic: &str) -> bool {
        !topic.starts_with(INTERNAL) && !topic.ends_with(DEAD) && self.matches_start(topic)
    }
}

impl Topics {
    pub(crate) fn matches(&self, topic: &str) -> bool {
        match self {
            Topics::Named(names) => names.iter().any(|name| name == topic),
            Topics::Pattern(pattern) => pattern.matches(topic),
        }
    }
}

/// Where the events of a topic go that this group gave up: `<topic>.<group>.dead`.
pub(crate) fn dead_letter_topic(topic: &str, group: &str) -> String {
    format!("{topic}.{group}{DEAD}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, topic: &str, expected: bool) {
        assert_eq!(TopicPattern::new(pattern).unwrap().matches(topic), expected, "{pattern} {topic}");
    }

    #[test]
    fn a_pattern_is_matched_from_the_start() {
        check("^onu\\.", "onu.events", true);
        check("onu\\..*", "onu.events", true);
        check("events", "onu.events", false);
        check("onu\\.e$", "onu.events", false);
        check("a|b", "xb", false);
    }

    #[test]
    fn a_pattern_never_matches_dead_letters_and_what_is_the_brokers_own() {
        check(".*", &dead_letter_topic("onu.events", "olt.OnuStep"), false);
        check(".*", "__consumer_offsets", false);
        assert_eq!(dead_letter_topic("onu.events", "olt.OnuStep"), "onu.events.olt.OnuStep.dead");
        assert!(Topics::Named(vec!["a.dead".into()]).matches("a.dead"));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_text() {
        for bad in ["onu.(", ")|(", "["] {
            let error = TopicPattern::new(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
    }
}
