//! How much work a JSON schema can ask for, told from the schema alone.
//!
//! A schema that applies the same subschema twice to a place doubles the work with each level of the answer when it is
//! recursive, and with each link of a chain of references when it is not. Nothing stops such a check once it runs, so it is
//! counted before: [`most_visits`] is how often one place of an answer can be looked at, at most.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use jsonschema::{Draft, Registry, uri};
use serde_json::{Map, Value};

/// How deep an answer may nest so that every schema that was saved can be tried on it.
pub(super) const ORDINARY_DEPTH: usize = 8;

/// How often one place of an answer may be looked at. A recursive schema that applies itself once takes a few visits a level;
/// one that doubles passes this limit after 17 levels, a fork of references after 17 links.
pub(super) const MAX_VISITS: u64 = 100_000;

/// The sums that may be made to count the visits: a second of work at most. What needs more counts as unbounded.
const MAX_SUMS: usize = 3_000_000;

/// Where the library finds a schema that has no `$id`.
const BASE: &str = "json-schema:///";

/// Which places a subschema is applied to.
#[derive(Clone, Copy)]
enum Applied<'s> {
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
    fn marks(self) -> bool {
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
struct Node<'s> {
    edges: Vec<(Applied<'s>, Vec<usize>)>,
}

/// How often a place and the places below it are looked at, at most.
#[derive(Clone, Default)]
struct Visits<'s> {
    here: u64,
    /// Shared: most references add nothing to it.
    below: Rc<Below<'s>>,
}

/// How often the places below a place are looked at, at most. A place is an object or an array, and a place in an object has
/// one name, so what is never looked at together is not summed.
#[derive(Default)]
struct Below<'s> {
    members: BTreeMap<&'s str, u64>,
    other_members: u64,
    elements: u64,
    /// The most of these.
    most: u64,
}

impl<'s> Below<'s> {
    fn new(members: BTreeMap<&'s str, u64>, other_members: u64, elements: u64) -> Rc<Self> {
        let most = members.values().copied().fold(other_members.max(elements), u64::max);
        Rc::new(Self { members, other_members, elements, most })
    }

    fn of_member(&self, name: &str) -> u64 {
        self.members.get(name).copied().unwrap_or(self.other_members)
    }
}

impl<'s> Visits<'s> {
    /// Both, place by place, `with` a function to which 0 is neutral.
    fn combine(&self, other: &Self, sums: &mut usize, with: fn(u64, u64) -> u64) -> Self {
        *sums += 1;
        let here = with(self.here, other.here);
        let (one, two) = (&self.below, &other.below);
        if two.most == 0 {
            return Self { here, below: Rc::clone(one) };
        }
        if one.most == 0 {
            return Self { here, below: Rc::clone(two) };
        }
        let names = one.members.keys().chain(two.members.keys());
        let members: BTreeMap<_, _> =
            names.map(|name| (*name, with(one.of_member(name), two.of_member(name)))).collect();
        *sums += members.len();
        let other_members = with(one.other_members, two.other_members);
        Self { here, below: Below::new(members, other_members, with(one.elements, two.elements)) }
    }

    fn add(&mut self, other: &Self, sums: &mut usize) {
        *self = self.combine(other, sums, u64::saturating_add);
    }

    fn most(&self) -> u64 {
        self.here.saturating_add(self.below.most)
    }
}

/// The visits of one node for answers of one depth.
#[derive(Clone, Default)]
struct Work<'s> {
    /// By applying it.
    applied: Visits<'s>,
    /// By asking again which members and elements it has looked at, for an `unevaluated…` keyword around it.
    marked: Visits<'s>,
}

/// How often one place of an answer that nests so deep can be looked at by this schema, at most; `u64::MAX` if it is more than
/// [`MAX_VISITS`]. Nothing if the schema refers to what is not in it: then the library refuses it, and says why.
pub(super) fn most_visits(schema: &Value, depth: usize) -> Option<u64> {
    let draft = Draft::default().detect(schema);
    let registry = Registry::new().draft(draft).add(BASE, schema).ok()?.prepare().ok()?;
    let nodes = nodes(&registry)?;
    Some(count(&nodes, depth).unwrap_or(u64::MAX))
}

/// How deep an answer nests: 0 for one that is neither an object nor an array. `serde_json` reads 128 levels at most.
pub(super) fn depth_of(answer: &Value) -> usize {
    match answer {
        Value::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        Value::Array(elements) => 1 + elements.iter().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

/// Every subschema that the schema can apply, itself first.
fn nodes<'s>(registry: &'s Registry<'s>) -> Option<Vec<Node<'s>>> {
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

/// The visits of the first node; nothing if they are unbounded or too many.
///
/// Level by level, from answers without any depth: the visits of a level need only those of the level before. So nothing
/// recurses here, however long the chains of references are.
fn count(nodes: &[Node<'_>], depth: usize) -> Option<u64> {
    let order = order(nodes)?;
    let mut sums = 0;
    let flat = level(nodes, &order, None, &mut sums)?;
    let mut below = flat.clone();
    for _ in 0..depth {
        let next = level(nodes, &order, Some((&below, &flat)), &mut sums)?;
        // A schema that does not recurse has no more to look at in deeper answers.
        if next == below {
            break;
        }
        below = next;
    }
    below.first().copied()
}

/// The nodes, each after those that it applies to its own place; nothing if one applies itself, which never ends.
fn order(nodes: &[Node<'_>]) -> Option<Vec<usize>> {
    let mut waits = vec![0_usize; nodes.len()];
    let mut users = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let here = node.edges.iter().filter(|(applied, _)| matches!(applied, Applied::Here));
        for target in here.flat_map(|(_, targets)| targets) {
            waits[index] += 1;
            users[*target].push(index);
        }
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|index| waits[*index] == 0).collect();
    let mut done = 0;
    while let Some(index) = order.get(done).copied() {
        done += 1;
        for user in &users[index] {
            waits[*user] -= 1;
            if waits[*user] == 0 {
                order.push(*user);
            }
        }
    }
    (order.len() == nodes.len()).then_some(order)
}

/// The visits of every node for answers one level deeper than `below`, which are with those for answers without any depth.
fn level(nodes: &[Node<'_>], order: &[usize], below: Option<(&[u64], &[u64])>, sums: &mut usize) -> Option<Vec<u64>> {
    let mut works = vec![Work::default(); nodes.len()];
    let marks = nodes.iter().flat_map(|node| &node.edges).any(|(applied, _)| applied.marks());
    let mut totals = vec![0; nodes.len()];
    for index in order {
        let work = work(&nodes[*index], &works, below, marks, sums);
        totals[*index] = work.applied.most();
        if totals[*index] > MAX_VISITS || *sums > MAX_SUMS {
            return None;
        }
        works[*index] = work;
    }
    Some(totals)
}

/// The visits of a node, from those of the nodes that it applies to its own place (`works`) and to places below. `marks` is
/// whether any schema here asks what others have looked at.
fn work<'s>(
    node: &Node<'s>,
    works: &[Work<'s>],
    below: Option<(&[u64], &[u64])>,
    marks: bool,
    sums: &mut usize,
) -> Work<'s> {
    let mut work = Work { applied: Visits { here: 1, ..Visits::default() }, marked: Visits::default() };
    let (mut members, mut passed_over) = (BTreeMap::new(), BTreeMap::new());
    let (mut other_members, mut every_member, mut elements, mut listed) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut unevaluated_members, mut unevaluated_elements) = (0, 0);
    let (mut is_marking, mut is_combined) = (false, false);
    for (applied, targets) in &node.edges {
        *sums += 1;
        if let Applied::Here = applied {
            is_combined = true;
            let mut most = Work::default();
            for target in targets.iter().map(|target| &works[*target]) {
                most.applied = most.applied.combine(&target.applied, sums, u64::max);
                most.marked = most.marked.combine(&target.marked, sums, u64::max);
            }
            work.applied.add(&most.applied, sums);
            if marks {
                work.marked.add(&most.applied, sums);
                work.marked.add(&most.marked, sums);
            }
            continue;
        }
        is_marking |= applied.marks();
        let Some((below, flat)) = below else { continue };
        let of = |totals: &[u64]| targets.iter().map(|target| totals[*target]).max().unwrap_or(1);
        let visits = of(below);
        match applied {
            Applied::Here => {}
            Applied::Member(name) => {
                members.insert(*name, visits);
                passed_over.insert(*name, 0);
            }
            Applied::Matching => every_member = every_member.saturating_add(visits),
            Applied::Names => every_member = every_member.saturating_add(of(flat)),
            Applied::Additional => other_members = other_members.saturating_add(visits),
            Applied::Unevaluated => unevaluated_members = visits,
            Applied::Listed => listed = listed.max(visits),
            Applied::Elements => elements = elements.saturating_add(visits),
            Applied::UnevaluatedElements => unevaluated_elements = visits,
        }
    }
    for member in members.values_mut().chain([&mut other_members]) {
        *member = member.saturating_add(every_member);
    }
    let own = Below::new(members, other_members, elements.saturating_add(listed));
    work.applied.add(&Visits { here: 0, below: own }, sums);
    if is_marking {
        let below = Below::new(passed_over, unevaluated_members, unevaluated_elements);
        let unevaluated = Visits { here: 0, below };
        work.applied.add(&unevaluated, sums);
        work.marked.add(&unevaluated, sums);
        // The library applies the subschemas of the same place again, to know what they have looked at.
        if is_combined {
            work.applied.add(&work.marked, sums);
        }
    }
    work
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, time::Instant};

    use serde_json::json;

    use super::super::validate::schema;
    use super::*;

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
        assert_eq!(
            most_visits(&json!({"items": {}, "contains": {}, "additionalProperties": {}}), DEEPEST),
            Some(1 + 2)
        );
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
        let started = Instant::now();
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
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
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
        let started = Instant::now();
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
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}
