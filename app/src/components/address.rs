//! Addresses: the state of every page is in its own.

use leptos_router::params::ParamsMap;

/// The page's query with one parameter set, or taken out when the value is empty.
pub fn with(query: &ParamsMap, name: &str, value: &str) -> String {
    let mut query = query.clone();
    query.remove(name);
    if !value.is_empty() {
        query.insert(name.to_owned(), value.to_owned());
    }
    query.to_query_string()
}

/// The page's query without what belongs to one moment, with one parameter set.
pub fn turned(query: &ParamsMap, name: &str, value: &str) -> String {
    let mut query = query.clone();
    for moment in ["page", "promote", "refused", "done"] {
        query.remove(moment);
    }
    with(&query, name, value)
}
