//! What is settled before a run, and stays.

use agents::{ModelName, ModelSettings};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::{AgentType, Author, InvalidInput, Version};

use crate::{
    LabError, Metric,
    statistics::{Confidence, Plan as StatisticalPlan},
};

/// Calls of a run at most, those of judges included.
pub const MAX_CALLS: u64 = 50_000;

/// A run to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// Whose prompt it is.
    pub agent_type: AgentType,
    /// One version.
    pub version_a: Version,
    /// The other one.
    pub version_b: Version,
    /// The test cases.
    pub set_id: Uuid,
    /// How they are run and judged.
    pub plan: RunPlan,
    /// How many calls at once: 1 to 200.
    pub concurrency: u32,
    /// The most that it may cost, in US dollars; none for no limit.
    pub budget_usd: Option<f64>,
    /// By whom.
    pub created_by: Option<Author>,
}

/// How the cases of a run are run and judged. It is stored with the run and never changes afterwards, so that nobody chooses
/// the metric after having seen the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunPlan {
    /// The model that answers, as `provider::name`; none when the answers were produced elsewhere, or nothing is to be called.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub model: Option<ModelName>,
    /// Its settings.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub settings: ModelSettings,
    /// How often each case is asked of each version: 1 to 50.
    pub repeats: u32,
    /// What the verdict is about.
    pub primary: Metric,
    /// Other metrics that decide too: when one of them is told worse, the version is not called better.
    #[serde(default)]
    pub deciding: Vec<Metric>,
    /// The largest difference of the primary metric that does not matter, in its units (shares, milliseconds, tokens, dollars).
    #[serde(default)]
    pub margin: Option<f64>,
    /// How sure the intervals are, such as 0.95.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub confidence: Confidence,
    /// Where everything random begins: the order of the calls, and resampling.
    pub seed: u64,
    /// Whether the active version is also run against itself, to see how far answers differ without a cause.
    #[serde(default)]
    pub noise: bool,
    /// The version that is run against itself; set when the run begins.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub noise_version: Option<Version>,
    /// The model that judges, for `llm-rubric` and the pairwise question.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub judge: Option<ModelName>,
    /// What the pairwise judge is asked to prefer, if it is asked.
    #[serde(default)]
    pub question: Option<String>,
}

impl RunPlan {
    /// Repeats at most.
    pub const MAX_REPEATS: u32 = 50;
    /// The longest question to the pairwise judge, in characters.
    pub const MAX_QUESTION: usize = 2_000;

    /// A plan with the customary values: each case once, judged by the pass rate, at 95 percent.
    pub fn new(model: Option<ModelName>, seed: u64) -> Self {
        Self {
            model,
            settings: ModelSettings::default(),
            repeats: 1,
            primary: Metric::PassRate,
            deciding: Vec::new(),
            margin: None,
            confidence: Confidence::NINETY_FIVE,
            seed,
            noise: false,
            noise_version: None,
            judge: None,
            question: None,
        }
    }

    /// Checks what can be checked without the cases.
    ///
    /// # Errors
    /// The field that breaks a rule, and the way forward.
    pub fn validate(&self) -> Result<(), InvalidInput> {
        let refuse = |field, code, message: String| Err(InvalidInput::new(field, code, message));
        if !(1..=Self::MAX_REPEATS).contains(&self.repeats) {
            return refuse("repeats", "invalid_repeats", format!("Repeat each case 1 to {} times.", Self::MAX_REPEATS));
        }
        self.settings
            .validate()
            .map_err(|invalid| InvalidInput::new(invalid.field, "invalid_setting", invalid.message))?;
        if self.margin.is_some_and(|margin| !(margin > 0.0 && margin.is_finite())) {
            return refuse(
                "margin",
                "invalid_margin",
                "The margin is a number above 0, in the units of the primary metric: 0.05 is five percent of the cases. Leave it \
                 out when every difference matters."
                    .into(),
            );
        }
        if let Some(question) = &self.question {
            if question.trim().is_empty() || question.chars().count() > Self::MAX_QUESTION || question.contains('\0') {
                return refuse(
                    "question",
                    "invalid_question",
                    format!(
                        "Ask the judge in 1 to {} characters, none of them NUL, or leave the question out.",
                        Self::MAX_QUESTION
                    ),
                );
            }
            if self.judge.is_none() {
                return refuse(
                    "judge",
                    "judge_missing",
                    "Answers are to be compared by a judge, and no model was chosen for it. Choose one, or leave the question out."
                        .into(),
                );
            }
        }
        let metrics: Vec<Metric> = std::iter::once(self.primary).chain(self.deciding.iter().copied()).collect();
        if metrics.contains(&Metric::Preference) && self.question.is_none() {
            return refuse(
                "question",
                "question_missing",
                "The judge's preference is to decide, and the judge has no question. Write what makes an answer the better one.".into(),
            );
        }
        Ok(())
    }

    /// The metrics that decide besides the primary one, each once.
    pub fn others(&self) -> Vec<Metric> {
        let mut others: Vec<Metric> = self.deciding.iter().copied().filter(|metric| *metric != self.primary).collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    /// Whether votes of people decide, alone or with other metrics.
    pub fn has_votes_decide(&self) -> bool {
        self.primary == Metric::Votes || self.deciding.contains(&Metric::Votes)
    }

    /// The plan as the statistics take it.
    pub fn statistical(&self) -> StatisticalPlan {
        let deciding_metrics = u32::try_from(self.others().len()).unwrap_or(u32::MAX).saturating_add(1);
        StatisticalPlan { confidence: self.confidence, deciding_metrics, seed: self.seed }
    }
}

impl RunRequest {
    /// Checks what can be checked without the database.
    ///
    /// # Errors
    /// The field that breaks a rule, and the way forward.
    pub fn validate(&self) -> Result<(), LabError> {
        self.plan.validate()?;
        if !(1..=200).contains(&self.concurrency) {
            return Err(LabError::invalid("concurrency", "invalid_concurrency", "Make 1 to 200 calls at once."));
        }
        if self.budget_usd.is_some_and(|budget| !(budget > 0.0 && budget.is_finite())) {
            return Err(LabError::invalid(
                "budget_usd",
                "invalid_budget",
                "The budget is a number of US dollars above 0. Leave it out for no limit.",
            ));
        }
        if self.version_a == self.version_b && !self.plan.noise {
            return Err(LabError::invalid(
                "version_b",
                "same_version",
                format!(
                    "A and B are both {}. Choose two versions; or switch the A/A run on, to see how far answers of one version \
                     differ without a cause.",
                    self.version_a
                ),
            ));
        }
        Ok(())
    }
}
