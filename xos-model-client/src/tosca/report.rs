//! What applying a recipe did.

use std::fmt;

use crate::model::ModelName;
use crate::value::ObjectId;

/// What applying a recipe did: one line per node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// The nodes of the recipe in the order in which they were processed, then those that left it.
    pub nodes: Vec<NodeReport>,
}

/// What was done about one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// The node.
    pub node: String,
    /// Its model.
    pub model: ModelName,
    /// The object; unset for one that does not exist.
    pub id: ObjectId,
    /// What was done.
    pub done: Done,
}

/// What was done about one node. Values are not shown: they may be secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The object was created.
    Created {
        /// The fields that were given.
        fields: Vec<String>,
    },
    /// The object was changed.
    Updated {
        /// The fields that differed.
        fields: Vec<String>,
    },
    /// The object is as the recipe says; nothing was written.
    Unchanged,
    /// The node left the recipe, and its object was deleted.
    Deleted,
    /// The node left the recipe, and its object was gone already; nothing was written.
    Gone,
    /// The node left the recipe, and its object stays.
    Kept {
        /// Why.
        why: String,
    },
}

impl Report {
    /// Whether nothing was written.
    pub fn wrote_nothing(&self) -> bool {
        !self
            .nodes
            .iter()
            .any(|node| matches!(node.done, Done::Created { .. } | Done::Updated { .. } | Done::Deleted))
    }

    /// The nodes of the recipe as XOS's TOSCA engine reports them: `Created models: ['constraints', 'service']`.
    pub fn created_models_line(&self) -> String {
        self.line("Created", |done| {
            matches!(done, Done::Created { .. } | Done::Updated { .. } | Done::Unchanged)
        })
    }

    /// The nodes that were deleted, in the same form: `Deleted models: ['serviceinstance', 'service']`.
    pub fn deleted_models_line(&self) -> String {
        self.line("Deleted", |done| matches!(done, Done::Deleted))
    }

    fn line(&self, verb: &str, is_it: fn(&Done) -> bool) -> String {
        let nodes = self.nodes.iter().filter(|node| is_it(&node.done));
        let names: Vec<String> = nodes.map(|node| format!("'{}'", node.node)).collect();
        format!("{verb} models: [{}]", names.join(", "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.nodes.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            node.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for NodeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = match &self.done {
            Done::Created { .. } => "created",
            Done::Updated { .. } => "updated",
            Done::Unchanged => "unchanged",
            Done::Deleted => "deleted",
            Done::Gone => "gone",
            Done::Kept { .. } => "kept",
        };
        write!(f, "{done:<9} {} ({}", self.node, self.model)?;
        if self.id.is_set() {
            write!(f, " {}", self.id)?;
        }
        f.write_str(")")?;
        match &self.done {
            Done::Created { fields } | Done::Updated { fields } => write!(f, ": {}", fields.join(", ")),
            Done::Kept { why } => write!(f, ": {why}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_line_by_line() {
        let node = |node: &str, id: i32, done: Done| NodeReport {
            node: node.into(),
            model: "Site".into(),
            id: ObjectId::new(id),
            done,
        };
        let report = Report {
            nodes: vec![
                node("a", 1, Done::Unchanged),
                node("b", 2, Done::Created { fields: vec!["name".into(), "site_url".into()] }),
                node("c", 3, Done::Deleted),
                node("d", 0, Done::Gone),
                node("e", 4, Done::Kept { why: "because".into() }),
            ],
        };
        assert_eq!(
            report.to_string().lines().collect::<Vec<_>>(),
            [
                "unchanged a (Site 1)",
                "created   b (Site 2): name, site_url",
                "deleted   c (Site 3)",
                "gone      d (Site)",
                "kept      e (Site 4): because",
            ]
        );
        assert_eq!(report.created_models_line(), "Created models: ['a', 'b']");
        assert_eq!(report.deleted_models_line(), "Deleted models: ['c']");
        assert!(!report.wrote_nothing());
    }
}
