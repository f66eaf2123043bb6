//! The calls of a model.

use http::uri::PathAndQuery;

use super::messages::SERVICE;

/// A call that a core has for each model.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// All live objects.
    List,
    /// The objects that a query asks for.
    Filter,
    /// The object with an id.
    Get,
    /// A new object.
    Create,
    /// Another value for fields of an object.
    Update,
    /// A soft-deletion.
    Delete,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 6] =
        [Method::List, Method::Filter, Method::Get, Method::Create, Method::Update, Method::Delete];

    /// Its name for a model, such as `GetService`.
    pub fn name(self, model: &str) -> String {
        format!("{self:?}{model}")
    }
}

/// Where the calls of one model are, such as `/xos.xos/GetService`.
#[derive(Clone, Debug)]
pub struct Paths {
    paths: [Option<PathAndQuery>; 6],
}

impl Paths {
    /// The paths of those calls that there are.
    pub fn new(model: &str, methods: &[Method]) -> Self {
        let path = |method: Method| {
            let path = format!("/{SERVICE}/{}", method.name(model));
            methods.contains(&method).then(|| PathAndQuery::try_from(path).ok()).flatten()
        };
        Paths { paths: Method::ALL.map(path) }
    }

    /// The path of a call, `None` when the core does not have it.
    pub fn get(&self, method: Method) -> Option<&PathAndQuery> {
        self.paths[method as usize].as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_path_of_its_model() {
        let paths = Paths::new("Service", &[Method::Get, Method::Delete]);
        assert_eq!(paths.get(Method::Get).map(PathAndQuery::as_str), Some("/xos.xos/GetService"));
        assert_eq!(paths.get(Method::Delete).map(PathAndQuery::as_str), Some("/xos.xos/DeleteService"));
        assert_eq!(paths.get(Method::List), None);
    }
}
