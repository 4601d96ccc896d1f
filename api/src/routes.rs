use std::collections::HashMap;

use access::Action;
use poem::{
    endpoint::BoxEndpoint,
    http::{HeaderValue, Method},
};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, Registry},
};

use crate::operations;

/// Below it everything is the named organisation's.
const OF_ORGANIZATION: &str = "/v1/organizations/{id}";

/// The paths of the API under the patterns that the router reports.
pub(crate) struct Routes(HashMap<String, Route>);

pub(crate) struct Route {
    /// As the document writes it, `/v1/scans/{id}`.
    pub pattern: String,
    /// Methods, as the header `Allow` lists them.
    pub allow: HeaderValue,
    /// Whether its first parameter names the organisation that is acted in.
    pub names_organization: bool,
    /// The operation behind each method, and what it asks for.
    operations: Vec<(Method, &'static str, Action)>,
}

impl Route {
    pub fn operation(&self, method: &Method) -> Option<(&'static str, Action)> {
        let found = self.operations.iter().find(|(known, ..)| known == method);
        found.map(|(_, id, action)| (*id, *action))
    }
}

impl Routes {
    pub fn of<T: OpenApi>() -> Self {
        let mut methods: HashMap<String, Vec<&'static str>> = HashMap::new();
        let mut operations: HashMap<String, Vec<(Method, &'static str, Action)>> = HashMap::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let known = methods.entry(path.path.clone()).or_default();
            let asked = operations.entry(path.path).or_default();
            for operation in path.operations {
                let id = operation.operation_id;
                let found = id.and_then(|id| Some((id, operations::action(id)?)));
                asked.extend(found.map(|(id, action)| (operation.method.clone(), id, action)));
                known.extend(match operation.method {
                    Method::GET => &["GET", "HEAD"][..],
                    Method::POST => &["POST"],
                    Method::PUT => &["PUT"],
                    Method::DELETE => &["DELETE"],
                    _ => &[],
                });
            }
        }
        Self(
            methods
                .into_iter()
                .map(|(pattern, mut methods)| {
                    methods.sort_unstable();
                    let allow = HeaderValue::try_from(methods.join(", "));
                    let allow = allow.unwrap_or(HeaderValue::from_static(""));
                    let operations = operations.remove(&pattern).unwrap_or_default();
                    let names_organization = pattern.starts_with(OF_ORGANIZATION);
                    (routed(&pattern), Route { pattern, allow, names_organization, operations })
                })
                .collect(),
        )
    }

    pub fn get(&self, routed: &str) -> Option<&Route> {
        self.0.get(routed)
    }
}

/// The router names parameters by their number: `/v1/scans/:param0`.
fn routed(pattern: &str) -> String {
    let mut number = 0;
    let parts = pattern.split('/').map(|part| {
        if part.starts_with('{') {
            number += 1;
            format!(":param{}", number - 1)
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The document of an API that cannot be called: it needs no state.
pub(crate) struct Undone<T>(pub std::marker::PhantomData<T>);

impl<T: OpenApi> OpenApi for Undone<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_of_the_document_are_found_under_those_of_the_router() {
        assert_eq!(routed("/v1/scans/{id}/logs"), "/v1/scans/:param0/logs");
        assert_eq!(routed("/v1/{a}/{b}"), "/v1/:param0/:param1");
    }
}
