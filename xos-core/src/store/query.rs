//! Queries as statements.

use xos_model_client::{
    Condition, Error, ErrorKind, FieldInfo, ModelInfo, Operator, Query, QueryKind, Value,
};

use super::catalog::{Catalog, Column, Layout};
use super::compare;
use super::ddl::{DELETED, DELETED_POLICY, DIRTY, DIRTY_POLICY, LIVE};
use super::fault::Outcome;
use super::plan::ShapePlan;
use super::values::Storage;
use crate::sql::Operand;

/// More models than this are asked for in one list instead of one branch each (SQLite permits 500 branches).
const MOST_BRANCHES: usize = 100;

/// A statement: `?1` is the last id of the page before, `?2` the limit, the rest are the values.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Operand>,
}

/// The predicate of a kind of query; that of the index is the same text.
pub(crate) fn predicate(kind: QueryKind) -> &'static str {
    match kind {
        QueryKind::Live => LIVE,
        QueryKind::DirtyObjects => DIRTY,
        QueryKind::DeletedObjects => DELETED,
        QueryKind::DirtyPolicies => DIRTY_POLICY,
        QueryKind::DeletedPolicies => DELETED_POLICY,
    }
}

/// The statement for a query.
pub(crate) fn compile(
    catalog: &Catalog,
    plan: &ShapePlan,
    query: &Query,
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only PostgreSQL has patterns of its own")
    )]
    on_server: bool,
) -> Outcome<Statement> {
    let layout = catalog.expect_layout(plan.model)?;
    let info = catalog.info(plan.model)?;
    let mut conditions =
        Conditions { catalog, values: Vec::new(), levels: plan.levels, selective: false, on_server };
    let mut all = String::new();
    for condition in &query.conditions {
        all.push_str(" AND ");
        all.push_str(&conditions.one(info, layout, condition)?);
    }
    let select = format!("SELECT t0.id, t0.revision{} {}", plan.select, layout.from(conditions.levels));
    let kind = predicate(query.kind);
    let sql = if conditions.selective || layout.leaves.len() > MOST_BRANCHES {
        // A few objects are found through the index of the condition: "+" keeps the others out of the choice.
        let leaves: Vec<String> = layout.leaves.iter().map(|leaf| leaf.0.to_string()).collect();
        let leaves = leaves.join(", ");
        format!(
            "{select} WHERE +t0.leaf IN ({leaves}) AND t0.id > ?1 AND {kind}{all} ORDER BY t0.id LIMIT ?2"
        )
    } else {
        // One branch for each model, each in the order of its index, merged: a page reads no more than it needs.
        let branches = layout
            .leaves
            .iter()
            .map(|leaf| format!("{select} WHERE t0.leaf = {} AND t0.id > ?1 AND {kind}{all}", leaf.0));
        let branches: Vec<String> = branches.collect();
        if branches.is_empty() {
            format!("{select} WHERE 1 = 0 AND t0.id > ?1{all} LIMIT ?2")
        } else {
            format!("{} ORDER BY 1 LIMIT ?2", branches.join(" UNION ALL "))
        }
    };
    Ok(Statement { sql, values: conditions.values })
}

struct Conditions<'a> {
    catalog: &'a Catalog,
    values: Vec<Operand>,
    levels: u32,
    selective: bool,
    /// Whether patterns have to be in the words of PostgreSQL.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only PostgreSQL has patterns of its own")
    )]
    on_server: bool,
}

impl Conditions<'_> {
    fn one(&mut self, info: &ModelInfo, layout: &Layout, condition: &Condition) -> Outcome<String> {
        let path: Vec<&str> = condition.field.split("__").collect();
        let (first, rest) = path.split_first().map_or(("", &[] as &[&str]), |(first, rest)| (*first, rest));
        let (field, column) = find(info, layout, first)?;
        self.levels |= 1 << column.level;
        let text = if rest.is_empty() {
            self.leaf(info, field, column, &column.qualified(), "t0.id", condition)?
        } else {
            let inner = self.path(info, field, rest, condition)?;
            through(column, &column.qualified(), "t0.id", &inner)
        };
        let finds_few =
            condition.operator == Operator::Equal && !condition.invert && !condition.value.is_null();
        self.selective |= finds_few && column.selective;
        // Nothing fulfils no condition, and so fulfils each inversion.
        Ok(if condition.invert { format!("({text}) IS NOT TRUE") } else { format!("({text})") })
    }

    /// The ids of the objects at the other end of a link that fulfil the rest of the path.
    fn path(
        &mut self,
        from: &ModelInfo,
        link: &FieldInfo,
        path: &[&str],
        condition: &Condition,
    ) -> Outcome<String> {
        let Some(target) = link.target else {
            let reason = format!("\"{}\" is no link, so nothing follows it", link.def.name);
            return Err(fault(from, condition, reason).into());
        };
        let info = self.catalog.info(target)?;
        let layout = self.catalog.expect_layout(target)?;
        let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (*first, rest));
        let (field, column) = find(info, layout, first)?;
        let table = table_of(layout, column);
        let name =
            if column.storage == Storage::Links { String::new() } else { format!("x.{}", column.name) };
        let text = if rest.is_empty() {
            self.leaf(info, field, column, &name, "x.id", condition)?
        } else {
            let inner = self.path(info, field, rest, condition)?;
            through(column, &name, "x.id", &inner)
        };
        Ok(format!("SELECT x.id FROM {table} x WHERE {text}"))
    }

    /// The comparison at the end of a path.
    fn leaf(
        &mut self,
        info: &ModelInfo,
        field: &FieldInfo,
        column: &Column,
        name: &str,
        id: &str,
        condition: &Condition,
    ) -> Outcome<String> {
        let told = |reason: String| fault(info, condition, reason);
        if column.storage == Storage::Links {
            return self.member(column, id, condition).map_err(|reason| told(reason).into());
        }
        let comparison =
            compare::comparison(&field.def, column.storage, condition.operator, &condition.value);
        let comparison = comparison.map_err(told)?;
        Ok(match comparison.value {
            Some(value) => {
                let value = self.pattern(value).map_err(told)?;
                let place = self.place(value);
                comparison.sql.replace("{x}", name).replace("{v}", &place)
            }
            None => comparison.sql.replace("{x}", name),
        })
    }

    /// Whether a list has a member, or none at all.
    fn member(&mut self, column: &Column, id: &str, condition: &Condition) -> Result<String, String> {
        if condition.operator != Operator::Equal {
            return Err("a list of links can only be asked for one of its members (equal)".to_owned());
        }
        let bottom = column.target.and_then(|target| self.catalog.layout(target));
        let bottom = bottom.map_or("", |layout| layout.bottom_table.as_str()).to_owned();
        let live = format!("EXISTS (SELECT 1 FROM {bottom} b WHERE b.id = p.target AND b.deleted = 0)");
        if condition.value.is_null() {
            return Ok(format!("{id} NOT IN (SELECT p.source FROM {} p WHERE {live})", column.name));
        }
        let member = Operand::Int(xos_model_client::compared::link(&condition.value)?);
        let place = self.place(member);
        Ok(format!("{id} IN (SELECT p.source FROM {} p WHERE p.target = {place} AND {live})", column.name))
    }

    /// A pattern as the database knows it.
    fn pattern(&self, value: Operand) -> Result<Operand, String> {
        match value {
            #[cfg(feature = "postgres")]
            Operand::Pattern(pattern) if self.on_server => {
                crate::sql::pattern::translate(&pattern).map(Operand::Text)
            }
            value => Ok(value),
        }
    }

    fn place(&mut self, value: Operand) -> String {
        self.values.push(value);
        format!("?{}", self.values.len() + 2)
    }
}

/// A link to an object among these ids.
fn through(column: &Column, name: &str, id: &str, ids: &str) -> String {
    if column.storage == Storage::Links {
        format!("{id} IN (SELECT p.source FROM {} p WHERE p.target IN ({ids}))", column.name)
    } else {
        format!("{name} IN ({ids})")
    }
}

/// The table that has a column; a list's ids are in each table of the chain.
fn table_of(layout: &Layout, column: &Column) -> String {
    let table = if column.storage == Storage::Links { None } else { layout.tables.get(column.level) };
    table.unwrap_or(&layout.table).clone()
}

fn find<'a>(
    info: &'a ModelInfo,
    layout: &'a Layout,
    name: &str,
) -> Result<(&'a FieldInfo, &'a Column), Error> {
    let name = if name == "pk" { "id" } else { name };
    let field = info.expect_field(name)?;
    let at = info.shape.position(&field.def.name).unwrap_or(0);
    Ok((field, &layout.columns[at]))
}

fn fault(info: &ModelInfo, condition: &Condition, reason: String) -> Error {
    let model = info.name().clone();
    ErrorKind::Query { model, field: condition.field.to_string(), reason }.into()
}

/// Whether a value stands for "nothing".
pub(crate) fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Link(id) if !id.is_set())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use xos_model_client::{Condition, Operator, Query, QueryKind, Value};

    use super::*;
    use crate::options::Options;
    use crate::store::Store;

    fn store() -> Store {
        Store::in_memory(&Options::default()).unwrap()
    }

    /// How SQLite answers a statement.
    fn plan(store: &Store, sql: &str) -> String {
        let mut statement =
            store.db.connection.sqlite().unwrap().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for at in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(at, 1).unwrap();
        }
        let mut rows = statement.raw_query();
        let mut text = String::new();
        while let Some(row) = rows.next().unwrap() {
            text.push_str(&row.get::<_, String>(3).unwrap());
            text.push('\n');
        }
        text
    }

    fn plan_of(model: &str, kind: QueryKind, conditions: Vec<Condition>) -> String {
        let mut store = store();
        let shape = store.db.catalog.schema.expect_model(model).unwrap().shape.clone();
        let shape_plan = store.db.plans.get(&Arc::clone(&store.db.catalog), &shape).unwrap();
        let query = Query { shape, kind, conditions };
        let statement = compile(&store.db.catalog, &shape_plan, &query, false).unwrap();
        plan(&store, &statement.sql)
    }

    fn by(field: &'static str, value: impl Into<Value>) -> Vec<Condition> {
        vec![Condition { field: field.into(), operator: Operator::Equal, value: value.into(), invert: false }]
    }

    /// No table is looked through, nothing is sorted.
    fn is_direct(plan: &str) {
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[test]
    fn what_is_dirty_is_found_through_its_partial_index() {
        for (kind, index) in [
            (QueryKind::DirtyObjects, "xosbase_dirty"),
            (QueryKind::DirtyPolicies, "xosbase_policy"),
            (QueryKind::DeletedObjects, "xosbase_deleted"),
            (QueryKind::DeletedPolicies, "xosbase_deleted"),
            (QueryKind::Live, "xosbase_leaf"),
        ] {
            let plan = plan_of("Site", kind, vec![]);
            assert!(
                plan.contains(&format!("SEARCH t0 USING INDEX {index} (leaf=? AND id>?)")),
                "{kind:?}: {plan}"
            );
            is_direct(&plan);
        }
    }

    #[test]
    fn the_objects_of_a_family_are_merged_and_not_sorted() {
        // ServiceInstance and ComputeServiceInstance, and all objects.
        for (model, at_least) in [("ServiceInstance", 2), ("XOSBase", 30)] {
            for kind in [QueryKind::DirtyObjects, QueryKind::Live] {
                let plan = plan_of(model, kind, vec![]);
                assert!(plan.matches("USING INDEX xosbase_").count() >= at_least, "{plan}");
                assert!(plan.contains("MERGE"), "{plan}");
                is_direct(&plan);
            }
        }
    }

    #[test]
    fn an_equality_with_a_link_or_a_unique_field_uses_its_index() {
        for (model, conditions, index) in [
            ("ServiceInstance", by("owner", 5), "serviceinstance.owner"),
            ("ServiceInstance", by("owner__name", "hello"), "serviceinstance.owner"),
            ("Service", by("name", "hello"), "service.name"),
            ("Principal", by("name", "x"), "principal.name"),
        ] {
            let plan = plan_of(model, QueryKind::Live, conditions);
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("SCAN"), "{plan}");
        }
        let plan = plan_of("Service", QueryKind::Live, by("id", 7));
        assert!(plan.contains("SEARCH t0 USING INTEGER PRIMARY KEY"), "{plan}");
    }

    #[test]
    fn what_links_to_an_object_is_found_through_an_index() {
        let store = store();
        for layout in store.db.catalog.layouts() {
            for link in &layout.backlinks {
                let plan = plan(&store, &link.select);
                assert!(!plan.contains("SCAN"), "{}: {plan}", link.select);
            }
        }
    }

    #[test]
    fn changes_are_read_in_the_order_of_their_index() {
        let store = store();
        let sql = "SELECT revision, id FROM xosbase WHERE revision > ?1 ORDER BY revision LIMIT ?2";
        let found = plan(&store, sql);
        assert!(
            found.contains("USING INDEX xosbase_revision")
                || found.contains("USING COVERING INDEX xosbase_revision"),
            "{found}"
        );
        is_direct(&found);
        is_direct(&plan(
            &store,
            "SELECT revision FROM _tombstone WHERE revision > ?1 ORDER BY revision LIMIT ?2",
        ));
    }
}
