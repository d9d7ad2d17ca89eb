//! Random histories against a model of the numbering rules.

use std::collections::BTreeSet;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use sqlx::PgPool;
use versioning::{Bump, MIGRATOR, Reissue, Version};

use crate::support::{agent, code, new_patch, new_version, promotion, services};

#[derive(Debug, Clone)]
enum Step {
    Create(Version),
    Promote(Version),
    Patch,
    Reissue(Version),
}

/// What an agent's history must look like, in the plainest form.
#[derive(Debug, Default)]
struct Model {
    versions: BTreeSet<Version>,
    active: Option<Version>,
}

impl Model {
    fn next_patch(&self) -> Option<Version> {
        let mut candidate = self.active?.next(Bump::Patch).unwrap();
        while self.versions.contains(&candidate) {
            candidate = candidate.next(Bump::Patch).unwrap();
        }
        Some(candidate)
    }

    /// What the step gives: a version, or the code of the refusal.
    fn apply(&mut self, step: &Step) -> Result<Version, &'static str> {
        let made = match *step {
            Step::Create(version) => {
                if self.versions.contains(&version) {
                    return Err("version_exists");
                }
                if self.active.is_some_and(|active| version < active) {
                    return Err("fix_forward");
                }
                self.versions.insert(version);
                return Ok(version);
            }
            _ if self.versions.is_empty() => return Err("unknown_agent"),
            Step::Promote(version) => {
                if !self.versions.contains(&version) {
                    return Err("unknown_version");
                }
                if self.active.is_some_and(|active| version < active) {
                    return Err("fix_forward");
                }
                version
            }
            Step::Patch => self.next_patch().ok_or("no_active_version")?,
            Step::Reissue(version) => {
                let next = self.next_patch().ok_or("no_active_version")?;
                if !self.versions.contains(&version) {
                    return Err("unknown_version");
                }
                next
            }
        };
        self.versions.insert(made);
        self.active = Some(made);
        Ok(made)
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn random_histories_follow_the_model(pool: PgPool) {
    let management = services(&pool).management;
    // Few numbers, so that steps meet each other often.
    let number =
        (0..3_u64, 0..3_u64, 0..4_u64).prop_map(|(major, minor, patch)| Version::new(major, minor, patch).unwrap());
    let step = prop_oneof![
        3 => number.clone().prop_map(Step::Create),
        3 => number.clone().prop_map(Step::Promote),
        1 => Just(Step::Patch),
        1 => number.prop_map(Step::Reissue),
    ];
    let histories = prop::collection::vec(step, 1..25);
    let mut runner = TestRunner::deterministic();
    for index in 0..40 {
        let name = format!("agent_{index}");
        let steps = histories.new_tree(&mut runner).unwrap().current();
        let mut model = Model::default();
        for (position, step) in steps.iter().enumerate() {
            let expected = model.apply(step);
            let answered = match *step {
                Step::Create(version) => management.create_version(new_version(&name, &version.to_string(), "x")).await,
                Step::Promote(version) => management.promote_to_active(promotion(&name, &version.to_string())).await,
                Step::Patch => management.create_patch(new_patch(&name, "x")).await,
                Step::Reissue(version) => {
                    let reissue = Reissue { agent_type: agent(&name), version, created_by: None, notes: None };
                    management.reissue(reissue).await
                }
            };
            let answered = match answered {
                Ok(made) => Ok(made.version),
                refused => Err(code(refused)),
            };
            assert_eq!(answered, expected, "step {position} of {steps:?}");
        }
        if model.versions.is_empty() {
            continue;
        }
        let page = management.get_versions(&agent(&name), None, 200).await.unwrap();
        let stored: BTreeSet<_> = page.versions.iter().map(|version| version.version).collect();
        assert_eq!(stored, model.versions, "{steps:?}");
        if let Some(active) = model.active {
            let next = management.next_versions(&agent(&name), None).await.unwrap();
            assert_eq!((next.base, next.patch), (Some(active), model.next_patch()), "{steps:?}");
            for free in [next.major, next.minor, next.patch].into_iter().flatten() {
                assert!(free > active && !model.versions.contains(&free), "{free} after {steps:?}");
            }
        }
    }
}
