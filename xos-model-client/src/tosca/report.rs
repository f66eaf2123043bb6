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
        let is_there = |node: &&NodeReport| {
            matches!(node.done, Done::Created { .. } | Done::Updated { .. } | Done::Unchanged)
        };
        let names: Vec<String> =
            self.nodes.iter().filter(is_there).map(|node| format!("'{}'", node.node)).collect();
        format!("Created models: [{}]", names.join(", "))
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
