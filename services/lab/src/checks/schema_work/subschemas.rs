//! The subschemas of a schema, and which places each is applied to.

use std::collections::HashMap;

use jsonschema::{Registry, uri};
use serde_json::{Map, Value};

use super::BASE;

/// Which places a subschema is applied to.
#[derive(Clone, Copy)]
pub(super) enum Applied<'s> {
    /// The same place.
    Here,
    /// The member of this name.
    Member(&'s str),
    /// Members whose names match.
    Matching,
    /// Members that no `properties` of the same schema names.
    Additional,
    /// Members that nothing else has looked at.
    Unevaluated,
    /// The names of the members.
    Names,
    /// The element of one index.
    Listed,
    /// Elements of any index.
    Elements,
    /// Elements that nothing else has looked at.
    UnevaluatedElements,
}

impl Applied<'_> {
    /// Whether it asks what other subschemas have looked at.
    pub(super) fn marks(self) -> bool {
        matches!(self, Self::Unevaluated | Self::UnevaluatedElements)
    }
}

/// What is applied.
#[derive(Clone, Copy)]
enum Target<'s> {
    Schema(&'s Value),
    Reference(&'s str),
    DynamicReference(&'s str),
    RecursiveReference,
}

/// A subschema. Each edge has the nodes of which one is applied: several only where it is decided when the check runs.
pub(super) struct Node<'s> {
    pub(super) edges: Vec<(Applied<'s>, Vec<usize>)>,
}

/// Every subschema that the schema can apply, itself first.
pub(super) fn nodes<'s>(registry: &'s Registry<'s>) -> Option<Vec<Node<'s>>> {
    let root = registry.resolver(uri::from_str(BASE).ok()?).lookup("#").ok()?.into_inner();

    // What a dynamic reference leads to depends on the way to it, so each anchor of its name counts. The empty name is that
    // of recursive anchors.
    let mut anchors: HashMap<&str, Vec<_>> = HashMap::new();
    let mut open = vec![root.clone()];
    while let Some((value, resolver, draft)) = open.pop() {
        if let Some(name) = value.get("$dynamicAnchor").and_then(Value::as_str) {
            anchors.entry(name).or_default().push((value, resolver.clone(), draft));
        }
        if value.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            anchors.entry("").or_default().push((value, resolver.clone(), draft));
        }
        let children: Vec<&Value> = match value {
            Value::Object(members) => members.values().collect(),
            Value::Array(elements) => elements.iter().collect(),
            _ => Vec::new(),
        };
        for child in children {
            let draft = draft.detect(child);
            if let Ok(resolver) = resolver.in_subresource(draft.create_resource_ref(child)) {
                open.push((child, resolver, draft));
            }
        }
    }

    let mut known = HashMap::from([(std::ptr::from_ref(root.0), 0)]);
    let mut found = vec![root];
    let mut nodes = Vec::new();
    while let Some((value, resolver, draft)) = found.get(nodes.len()).cloned() {
        let mut edges = Vec::new();
        for (applied, target) in value.as_object().map(applications).unwrap_or_default() {
            let candidates = match target {
                Target::Schema(child) => {
                    let draft = draft.detect(child);
                    let resolver = resolver.in_subresource(draft.create_resource_ref(child)).ok()?;
                    vec![(child, resolver, draft)]
                }
                Target::Reference(to) => resolver.lookup(to).into_iter().map(|to| to.into_inner()).collect(),
                Target::DynamicReference(to) => {
                    let name = to.rsplit_once('#').map_or("", |(_, name)| name);
                    let anchors = anchors.get(name).filter(|_| !name.is_empty()).into_iter().flatten().cloned();
                    resolver.lookup(to).into_iter().map(|to| to.into_inner()).chain(anchors).collect()
                }
                Target::RecursiveReference => {
                    let anchors = anchors.get("").into_iter().flatten().cloned();
                    resolver.lookup_recursive_ref().into_iter().map(|to| to.into_inner()).chain(anchors).collect()
                }
            };
            let targets = candidates.into_iter().map(|candidate| {
                *known.entry(std::ptr::from_ref(candidate.0)).or_insert_with(|| {
                    found.push(candidate);
                    found.len() - 1
                })
            });
            edges.push((applied, targets.collect()));
        }
        nodes.push(Node { edges });
    }
    Some(nodes)
}

/// What a subschema applies, by its keywords in all drafts.
fn applications(schema: &Map<String, Value>) -> Vec<(Applied<'_>, Target<'_>)> {
    let mut found = Vec::new();
    for (keyword, value) in schema {
        let applied = match keyword.as_str() {
            "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas" | "dependencies" => {
                Applied::Here
            }
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                if let Value::String(to) = value {
                    let target = match keyword.as_str() {
                        "$ref" => Target::Reference(to),
                        "$dynamicRef" => Target::DynamicReference(to),
                        _ => Target::RecursiveReference,
                    };
                    found.push((Applied::Here, target));
                }
                continue;
            }
            "properties" => {
                let members = value.as_object().into_iter().flatten();
                found.extend(members.map(|(name, child)| (Applied::Member(name), Target::Schema(child))));
                continue;
            }
            "patternProperties" => Applied::Matching,
            "additionalProperties" => Applied::Additional,
            "unevaluatedProperties" => Applied::Unevaluated,
            "propertyNames" => Applied::Names,
            "prefixItems" => Applied::Listed,
            "items" if value.is_array() => Applied::Listed,
            "items" | "additionalItems" | "contains" => Applied::Elements,
            "unevaluatedItems" => Applied::UnevaluatedElements,
            _ => continue,
        };
        let children: Vec<&Value> = match (keyword.as_str(), value) {
            ("dependentSchemas" | "dependencies" | "patternProperties", Value::Object(children)) => {
                children.values().filter(|child| !child.is_array()).collect()
            }
            (_, Value::Array(children)) => children.iter().collect(),
            (_, child) => vec![child],
        };
        found.extend(children.into_iter().map(|child| (applied, Target::Schema(child))));
    }
    found
}
