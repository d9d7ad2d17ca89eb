//! How often the places of an answer are looked at, counted over the subschemas.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    MAX_VISITS,
    subschemas::{Applied, Node},
};

/// The sums that may be made to count the visits: a second of work at most. What needs more counts as unbounded.
const MAX_SUMS: usize = 3_000_000;

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

/// The visits of the first node for answers of this depth at most; nothing if they are unbounded or too many.
///
/// Level by level, from answers without any depth: the visits of a level need only those of the level before. So nothing
/// recurses here, however long the chains of references are.
pub(super) fn count(nodes: &[Node<'_>], depth: usize) -> Option<u64> {
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

/// The visits of every node. `below` has those for answers one level less deep, then those for answers without any depth; there
/// is nothing below when these are counted.
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
