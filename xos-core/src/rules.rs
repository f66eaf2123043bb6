//! What the core does and checks when an object is saved.
//!
//! Rules of all models are functions of their modules; a [`Rule`] is one that only some models have.

mod address_pool;
mod instance_link;
mod links;
mod normalise;
mod owner;
mod slice;
mod stamps;
mod unique;
mod validate;

use xos_model_client::{ModelId, ModelInfo, Schema};

use crate::store::{Db, Draft, Outcome};

pub(crate) use instance_link::LinkFields;
pub(crate) use normalise::normalise;
pub(crate) use stamps::later_than;
pub(crate) use unique::explain_constraint;
pub(crate) use validate::problem;

/// A rule that only some models have, with the places of the fields it is about.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// `owner_class`: who owns an object that names no owner, or one of another class.
    Owner { field: usize, class: ModelId },
    /// The addresses of a pool may be given as a network.
    AddressPool { addresses: usize, cidr: usize },
    /// What a `ServiceInstanceLink` may connect.
    InstanceLink(LinkFields),
    /// The network of a slice that older recipes call "Private Only" is none.
    SliceNetwork { field: usize },
    /// The validator `slice_name_no_spaces`.
    NoSpaces { field: usize, message: String },
    /// The validator `network_slice_validator`.
    NetworkSlice { network: usize, slice: usize },
}

impl Rule {
    /// The rules of a model, the inherited ones too.
    pub(crate) fn of(schema: &Schema, info: &ModelInfo) -> Vec<Rule> {
        let mut rules = Vec::new();
        let field = |name: &str| info.shape.position(name);
        let chain: Vec<&ModelInfo> = info.chain.iter().filter_map(|id| schema.by_id(*id)).collect();
        let is = |name: &str| chain.iter().any(|model| model.name() == name && model.def.app_label == "core");
        if let (Some(owner), Some(class)) = (field("owner"), info.owner_class(schema))
            && let Some(class) = schema.model(class)
        {
            rules.push(Rule::Owner { field: owner, class: class.id });
        }
        if let (true, Some(addresses), Some(cidr)) = (is("AddressPool"), field("addresses"), field("cidr")) {
            rules.push(Rule::AddressPool { addresses, cidr });
        }
        if is("ServiceInstanceLink") {
            rules.extend(LinkFields::of(info).map(Rule::InstanceLink));
        }
        if let (true, Some(field)) = (is("Slice"), field("network")) {
            rules.push(Rule::SliceNetwork { field });
        }
        for validator in chain.iter().flat_map(|model| model.def.validators.iter()) {
            match (validator.policy.as_ref(), field("name"), field("network"), field("slice")) {
                ("slice_name_no_spaces", Some(field), _, _) => {
                    rules.push(Rule::NoSpaces { field, message: validator.message.to_string() });
                }
                ("network_slice_validator", _, Some(network), Some(slice)) => {
                    rules.push(Rule::NetworkSlice { network, slice });
                }
                // `slice_has_creator` asks for the caller's account; it counts where callers have accounts.
                _ => {}
            }
        }
        rules
    }

    /// What the rule changes before anything is checked.
    fn rewrite(&self, draft: &mut Draft<'_>, db: &Db) -> Outcome<()> {
        match self {
            Rule::Owner { field, class } => owner::choose(draft, db, *field, *class),
            Rule::AddressPool { addresses, cidr } => address_pool::expand(draft, db, *addresses, *cidr),
            Rule::SliceNetwork { field } => {
                slice::private_is_none(draft, *field);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What the rule checks.
    fn check(&self, draft: &mut Draft<'_>, db: &Db) -> Outcome<()> {
        match self {
            Rule::InstanceLink(fields) => fields.check(draft, db),
            Rule::NoSpaces { field, message } => {
                slice::name_has_no_spaces(draft, *field, message);
                Ok(())
            }
            Rule::NetworkSlice { network, slice } => slice::may_use_network(draft, db, *network, *slice),
            _ => Ok(()),
        }
    }
}

/// Applies all rules to what is to be stored; all that are broken are told together.
pub(crate) fn apply(draft: &mut Draft<'_>, db: &Db, resurrected: bool) -> Outcome<()> {
    if draft.doomed {
        links::exist(draft, db)?;
        return draft.settle();
    }
    let layout = draft.layout;
    for rule in &layout.rules {
        rule.rewrite(draft, db)?;
    }
    validate::fields(draft);
    links::are_live(draft, db, resurrected)?;
    unique::check(draft, db)?;
    for rule in &layout.rules {
        rule.check(draft, db)?;
    }
    draft.settle()
}
