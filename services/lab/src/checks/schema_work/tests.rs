//! What is counted for schemas that multiply, and for those that do not.

use std::fmt::Write as _;

use serde_json::{Map, json};

use super::*;
use crate::checks::validate::schema;

/// As deep as `serde_json` reads.
const DEEPEST: usize = 128;

fn chain(links: usize) -> Value {
    let mut definitions = Map::new();
    for link in 0..links {
        let next = json!({"$ref": format!("#/$defs/d{}", link + 1)});
        definitions.insert(format!("d{link}"), json!({"allOf": [next, next]}));
    }
    definitions.insert(format!("d{links}"), json!({"type": "string"}));
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn counts_what_is_applied() {
    assert_eq!(most_visits(&json!(true), DEEPEST), Some(1));
    assert_eq!(most_visits(&json!({"allOf": [{}, {}], "not": {}}), DEEPEST), Some(4));
    assert_eq!(most_visits(&json!({"properties": {"a": {}, "b": {"anyOf": [{}, {}]}}}), DEEPEST), Some(1 + 3));
    assert_eq!(most_visits(&json!({"items": {}, "contains": {}, "additionalProperties": {}}), DEEPEST), Some(1 + 2));
    assert_eq!(most_visits(&json!({"$ref": "https://example.com/x.json"}), DEEPEST), None);
}

#[test]
fn accepts_recursion_that_does_not_multiply() {
    let itself = json!({"$ref": "#"});
    for accepted in [
        json!({"properties": {"left": itself, "right": itself}}),
        json!({"properties": {"next": {"anyOf": [itself, {"type": "null"}]}}}),
        json!({"anyOf": [
            {"type": "object", "additionalProperties": itself},
            {"type": "array", "items": itself},
            {"type": ["string", "number", "boolean", "null"]},
        ]}),
        json!({"oneOf": [
            {"properties": {"sum": {"type": "array", "items": itself}}, "additionalProperties": false},
            {"properties": {"not": itself}, "additionalProperties": false},
        ]}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [itself, itself]}),
        json!({"$id": "https://example.com/a", "$defs": {"x": {"$anchor": "x", "items": {"$ref": "a#x"}}}, "$ref": "#x"}),
        json!({"$dynamicAnchor": "node", "properties": {"children": {"items": {"$dynamicRef": "#node"}}}}),
        json!({"properties": {"a/b %": {"items": {"$ref": "#/properties/a~1b%20%25"}}}}),
        json!({"allOf": [{"properties": {"id": {}}}], "properties": {"next": itself}, "unevaluatedProperties": false}),
        json!({"$ref": "https://json-schema.org/draft/2020-12/schema"}),
        json!({"$schema": "http://json-schema.org/draft-07/schema#",
            "items": {"$ref": "http://json-schema.org/draft-07/schema#"}}),
        chain(10),
    ] {
        let visits = most_visits(&accepted, DEEPEST);
        assert!(visits.is_some_and(|visits| visits <= MAX_VISITS), "{visits:?}: {accepted}");
        assert_eq!(schema(&accepted).err(), None, "{accepted}");
    }
}

#[test]
fn refuses_at_once_what_multiplies_in_one_place() {
    for refused in [
        // It applies itself to its own place.
        json!({"allOf": [{"$ref": "#"}]}),
        chain(30),
        chain(300),
    ] {
        assert_eq!(most_visits(&refused, 0), Some(u64::MAX), "{refused}");
        let error = schema(&refused).err().unwrap();
        assert_eq!(error.field, "value");
        assert!(error.message.contains("more than 100000 times"), "{}", error.message);
    }
}

#[test]
fn counts_what_multiplies_with_each_level() {
    let itself = json!({"$ref": "#"});
    let meta = json!({"$ref": "https://json-schema.org/draft/2020-12/schema"});
    for multiplying in [
        // By way of the schema of schemas, which leads back here.
        json!({"$dynamicAnchor": "meta", "allOf": [meta, meta]}),
        json!({"properties": {"next": {"allOf": [itself, itself]}}}),
        json!({"allOf": [{"items": itself}, {"items": itself}]}),
        json!({"items": itself, "contains": itself}),
        json!({"patternProperties": {"^a": itself, "a$": itself}}),
        json!({"anyOf": [{"properties": {"next": itself}}], "unevaluatedProperties": false}),
        json!({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveAnchor": true,
            "properties": {"a": {"allOf": [{"$recursiveRef": "#"}, {"$recursiveRef": "#"}]}}}),
        json!({"$dynamicAnchor": "node", "items": {"allOf": [{"$dynamicRef": "#node"}, {"$dynamicRef": "#node"}]}}),
        json!({"$defs": {"x": {"$id": "https://example.com/x", "items": {"anyOf": [itself, {"$ref": "x"}]}}},
            "$ref": "https://example.com/x"}),
        // The two operators of an expression: good for every answer that a model gives.
        json!({"oneOf": [
            {"properties": {"op": {"const": "add"}, "left": itself, "right": itself}},
            {"properties": {"op": {"const": "mul"}, "left": itself, "right": itself}},
        ]}),
    ] {
        assert_eq!(schema(&multiplying).err(), None, "{multiplying}");
        assert_eq!(most_visits(&multiplying, DEEPEST), Some(u64::MAX), "{multiplying}");
    }
}

#[test]
fn counts_the_longest_schemas_quickly() {
    let itself = json!({"$ref": "#"});
    // Far more sums than are made: 900 names times 900 schemas, on every level.
    let variants: Vec<_> = (0..900).map(|name| json!({"properties": {format!("m{name}"): itself}})).collect();
    assert_eq!(most_visits(&json!({"anyOf": variants}), DEEPEST), Some(u64::MAX));
    let members: Map<_, _> = (0..900).map(|name| (format!("m{name}"), itself.clone())).collect();
    assert!(most_visits(&json!({"properties": members}), DEEPEST).is_some_and(|visits| visits <= MAX_VISITS));
    assert!(most_visits(&json!({"allOf": vec![json!({}); 6_000], "items": itself}), DEEPEST).is_some());
    // Chains of references, deeper than any stack.
    let mut links = String::new();
    for link in 0..800 {
        write!(links, r##""{link}":{{"$ref":"#/$defs/{}"}},"##, link + 1).unwrap();
    }
    let long = format!(r##"{{"$ref":"#/$defs/0","$defs":{{{links}"800":{{"items":{{"$ref":"#"}}}}}}}}"##);
    // A level has 803 visits, so 129 levels are over the limit; without the way back there is one level.
    assert_eq!(most_visits(&serde_json::from_str(&long).unwrap(), DEEPEST), Some(u64::MAX));
    let once = long.replace(r##"{"items":{"$ref":"#"}}"##, "{}");
    assert_eq!(most_visits(&serde_json::from_str(&once).unwrap(), DEEPEST), Some(802));
}
