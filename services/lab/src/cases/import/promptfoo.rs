//! The tests of a promptfoo configuration.

use std::collections::BTreeMap;

use super::{
    Collected, ImportProblem, input_among,
    promptfoo_checks::{Surroundings, check},
    tags_of,
    yaml::{Kind, Node},
};
use crate::cases::{TestCase, quoted, validate::variable_name_problem};

pub(super) fn read(text: &str) -> Result<Vec<TestCase>, ImportProblem> {
    let root = Node::read(text)?;
    let default = root.get("defaultTest");
    if let Some(default) = default.filter(|default| !matches!(default.kind, Kind::Mapping(_))) {
        return Err(default
            .problem("What all tests have in common is not written here. Put it here, as a mapping, or remove it."));
    }
    let tests = match &root.kind {
        Kind::List(_) => Some(&root),
        _ => root.get("tests"),
    };
    let Some(tests) = tests else {
        return Err(root.problem(
            "There is no list of tests. Choose a promptfoo configuration that has `tests:`, or such a list.",
        ));
    };
    let Kind::List(tests) = &tests.kind else {
        let message = format!(
            "The tests are {}, not a list. Tests in a file of their own are imported by choosing it.",
            tests.what()
        );
        return Err(tests.problem(message));
    };
    let mut collected = Collected::default();
    for test in tests {
        let test = Test { test, default };
        let case = test.case()?;
        collected
            .add(test.test.line, case)
            .map_err(|problem| test.place_of(&problem.field).problem(problem.message))?;
    }
    Ok(collected.cases)
}

/// A test, and what all tests have in common.
#[derive(Clone, Copy)]
struct Test<'a> {
    test: &'a Node,
    default: Option<&'a Node>,
}

impl<'a> Test<'a> {
    fn case(self) -> Result<TestCase, ImportProblem> {
        if !matches!(self.test.kind, Kind::Mapping(_)) {
            let message = format!(
                "The test is {}, not a mapping. Tests in a file of their own are imported by choosing it.",
                self.test.what()
            );
            return Err(self.test.problem(message));
        }
        let mut variables = self.variables()?;
        let metadata = self.test.get("metadata");
        // What an export of ours adds, because promptfoo has no place for it; see `export`.
        let ours = metadata.and_then(|metadata| metadata.get("verbatim"));
        let input = match ours {
            Some(ours) => text_of(ours, "input")?.map(str::to_owned).or_else(|| variables.remove("input")),
            None => input_among(&variables).cloned(),
        };
        let Some(input) = input else {
            let message = "None of the test's variables is what the user says. Call it input, question, message, query or prompt.";
            return Err(self.place_of("input").problem(message));
        };
        let description = text_of(self.test, "description")?.unwrap_or_default();
        let expected = ours.map(|ours| text_of(ours, "expected")).transpose()?.flatten();
        let surroundings = match ours {
            Some(_) => Surroundings::Ours { expected },
            None => Surroundings::Theirs { variables: &variables },
        };
        let checks = self.asserts()?.into_iter().map(|node| check(node, surroundings)).collect::<Result<_, _>>()?;
        Ok(TestCase {
            name: match ours {
                Some(_) => description.to_owned(),
                // People fold long descriptions; a name is one line.
                None => description.split_whitespace().collect::<Vec<_>>().join(" "),
            },
            input,
            expected: expected.map(str::to_owned),
            tags: metadata.and_then(|metadata| metadata.get("tags")).map_or(Ok(Vec::new()), tags)?,
            checks,
            variables,
        })
    }

    /// The variables: those of all tests, then the test's own.
    fn variables(self) -> Result<BTreeMap<String, String>, ImportProblem> {
        let mut variables = BTreeMap::new();
        for node in self.all("vars") {
            let Kind::Mapping(entries) = &node.kind else {
                let message = format!("The variables are {}, not a mapping. Write each as `name: value`.", node.what());
                return Err(node.problem(message));
            };
            for (name, value) in entries {
                if let Some(problem) = variable_name_problem(name) {
                    return Err(value.problem(problem));
                }
                variables.insert(name.clone(), variable(name, value)?);
            }
        }
        Ok(variables)
    }

    /// What its answer is checked for: what all answers are, then its own.
    fn asserts(self) -> Result<Vec<&'a Node>, ImportProblem> {
        let mut asserts = Vec::new();
        for node in self.all("assert") {
            let Kind::List(items) = &node.kind else {
                return Err(
                    node.problem(format!("The checks are {}, not a list. Begin each with `- type:`.", node.what()))
                );
            };
            asserts.extend(items);
        }
        Ok(asserts)
    }

    /// What stands under a key, for all tests and for this one.
    fn all(self, key: &'a str) -> impl Iterator<Item = &'a Node> {
        self.default.into_iter().chain([self.test]).filter_map(move |node| node.get(key))
    }

    /// Where the file says what fills a field of the case.
    fn place_of(self, field: &str) -> &'a Node {
        let key = match field {
            "name" => "description",
            "input" | "variables" => "vars",
            "tags" | "expected" => "metadata",
            "checks" => "assert",
            _ => "",
        };
        self.test.get(key).unwrap_or(self.test)
    }
}

fn variable(name: &str, value: &Node) -> Result<String, ImportProblem> {
    let name = quoted(name);
    match value.as_text() {
        // An export of ours may hold such a text, but promptfoo would open the file just the same.
        Some(text) if text.starts_with("file://") => {
            Err(value
                .problem(format!("The variable {name} is in a file, and only this one is read. Write its text here.")))
        }
        Some(text) => Ok(text.to_owned()),
        None => {
            let what = value.what();
            Err(value.problem(format!(
                "The variable {name} is {what}, not a text. Write a test for each text that it should have."
            )))
        }
    }
}

fn tags(node: &Node) -> Result<Vec<String>, ImportProblem> {
    let Kind::List(items) = &node.kind else {
        return match node.as_text() {
            Some(text) => Ok(tags_of(text)),
            None => Err(node.problem("The tags are a mapping, not a list. Write them as a list of words.")),
        };
    };
    let tag = |item: &Node| match item.as_text() {
        Some(text) => Ok(text.trim().to_owned()),
        None => Err(item.problem(format!("This tag is {}, not a text. Write a word.", item.what()))),
    };
    items.iter().map(tag).collect()
}

/// The text under a key, if there is one.
fn text_of<'a>(node: &'a Node, key: &str) -> Result<Option<&'a str>, ImportProblem> {
    let Some(value) = node.get(key) else { return Ok(None) };
    value
        .as_text()
        .map(Some)
        .ok_or_else(|| value.problem(format!("The {key} is {}, not a text. Write a text.", value.what())))
}
