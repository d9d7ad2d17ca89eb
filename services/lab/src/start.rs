//! Starting a run, or only looking at what it would do.

use std::collections::HashMap;

use agents::ModelName;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Lab, LabError, Messages, Metric, Run, RunRequest, Side,
    cases::{OutsideOutput, TestCase, read_outputs},
    checks::Subject,
    execute::evaluated,
    plan::MAX_CALLS,
    schedule::{ASSUMED_OUTPUT_TOKENS, CallKind, PlannedCall, RunPrices, rubrics, schedule},
    store::{ImportedAnswer, NewRun},
};

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// Calls in all, those of judges included.
    pub calls: u64,
    /// Tokens sent, by estimate, those of judges included: an answer that a judge reads is taken to be as long as it may be.
    pub input_tokens: u64,
    /// What it costs at most, by estimate, in US dollars; none when a price is not known, or no model was named.
    pub cost_usd: Option<f64>,
    /// The models without a price in the table.
    pub unpriced: Vec<String>,
    /// The first messages, word for word, in the order in which they would be sent.
    pub first: Vec<DryCall>,
}

/// A call that would be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DryCall {
    /// The name of the case.
    pub case: String,
    /// Which repeat, from 1.
    pub repeat: u32,
    /// Whose answer it asks for.
    pub side: Side,
    /// The messages.
    pub messages: Messages,
    /// Tokens sent, by estimate.
    pub input_tokens: u64,
    /// What it costs at most, by estimate, in US dollars.
    pub cost_usd: Option<f64>,
}

/// A run that is ready to be written.
struct Prepared {
    request: RunRequest,
    set_name: String,
    cases: Vec<TestCase>,
    sides: Vec<(Side, Vec<Messages>)>,
    prices: RunPrices,
    calls: Vec<PlannedCall>,
}

impl Lab {
    /// What a run would do: the exact messages, tokens and cost. Nothing is called and nothing is written; no model need be named.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub async fn dry_run(&self, request: RunRequest, shown: usize) -> Result<DryRun, LabError> {
        let prepared = self.prepare(request).await?;
        let messages = |side: Side, case: usize| {
            prepared.sides.iter().find(|(other, _)| *other == side).map(|(_, messages)| &messages[case])
        };
        let place = |number: u32| usize::try_from(number - 1).unwrap_or(usize::MAX);
        let input_tokens = prepared.calls.iter().map(|call| call.input_tokens).sum();
        let mut first = Vec::new();
        for call in &prepared.calls {
            if first.len() == shown {
                break;
            }
            let CallKind::Answer { side } = call.kind else { continue };
            let Some(messages) = messages(side, place(call.case_number)) else { continue };
            first.push(DryCall {
                case: prepared.cases[place(call.case_number)].name.clone(),
                repeat: call.repeat,
                side,
                messages: messages.clone(),
                input_tokens: call.input_tokens,
                cost_usd: prepared.prices.model.map(|_| call.estimate_usd),
            });
        }
        let unpriced = self.unpriced(&prepared, false);
        let is_priced = prepared.request.plan.model.is_some() && unpriced.is_empty();
        let total: f64 = prepared.calls.iter().map(|call| call.estimate_usd).sum();
        Ok(DryRun {
            calls: prepared.calls.len() as u64,
            input_tokens,
            cost_usd: is_priced.then_some(total),
            unpriced,
            first,
        })
    }

    /// Starts a run: writes it with all of its calls, and lets the runners of all nodes know.
    ///
    /// # Errors
    /// A version, the agent or the set does not exist; the set is empty; a case gives no value for a variable; the plan breaks a
    /// rule, names no model, or asks for a judge that it does not name; it has a margin and rests on checks that no case has; there
    /// is a budget, and a price is not known.
    pub async fn start(&self, request: RunRequest) -> Result<Run, LabError> {
        let prepared = self.prepare(request).await?;
        if prepared.request.plan.model.is_none() {
            return Err(LabError::invalid(
                "model",
                "model_missing",
                "Name the model that answers, as provider::name. A dry run needs none, nor do outputs of your own.",
            ));
        }
        self.check_budget(&prepared, false)?;
        let id = self.write(&prepared, None).await?;
        self.started.notify_one();
        self.run(id).await
    }

    /// A run of answers that were produced elsewhere (JSON Lines, one answer a line). Checks are made at once; judges, if the plan
    /// has any, are asked as in any run. No model need be named.
    ///
    /// # Errors
    /// As [`Lab::start`], and the line and column of what cannot be read; then nothing is taken.
    pub async fn import_outputs(&self, mut request: RunRequest, outputs: &str) -> Result<Run, LabError> {
        request.plan.noise = false;
        let set = self.set(request.set_id).await?;
        let cases: Vec<TestCase> = set.test_cases.into_iter().map(|stored| stored.case).collect();
        let text = outputs.to_owned();
        let outputs = versioning::aside(move || read_outputs(&text, &cases)).await?.map_err(LabError::Import)?;
        request.plan.repeats = outputs.iter().map(|output| output.repeat).max().unwrap_or(1);
        let prepared = self.prepare(request).await?;
        self.check_budget(&prepared, true)?;
        // Patterns and schemas take a processor for a while.
        let cases = prepared.cases.clone();
        let answers = versioning::aside(move || imported(&cases, outputs)).await??;
        let id = self.write(&prepared, Some(answers)).await?;
        self.started.notify_one();
        self.run(id).await
    }

    /// A run.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn run(&self, id: Uuid) -> Result<Run, LabError> {
        self.store.run(id).await?.ok_or(LabError::UnknownRun { id })
    }

    /// The cases of a run as they were when it began.
    ///
    /// # Errors
    /// The database is away.
    pub async fn run_cases(&self, id: Uuid) -> Result<Vec<TestCase>, LabError> {
        self.store.run_cases(id).await
    }

    /// Stops a run. Calls under way are dropped; what was answered stays.
    ///
    /// # Errors
    /// There is no such run, or it is over.
    pub async fn cancel(&self, id: Uuid) -> Result<Run, LabError> {
        if self.store.cancel(id).await? {
            tracing::info!(run = %id, "a run in the lab was cancelled");
            return self.run(id).await;
        }
        self.run(id).await?;
        Err(LabError::RunIsOver)
    }

    async fn write(&self, prepared: &Prepared, imported: Option<Vec<ImportedAnswer>>) -> Result<Uuid, LabError> {
        let request = &prepared.request;
        let id = self
            .store
            .create_run(NewRun {
                request,
                set_name: &prepared.set_name,
                cases: &prepared.cases,
                calls: &prepared.calls,
                imported,
            })
            .await?;
        tracing::info!(
            run = %id, agent = %request.agent_type, a = %request.version_a, b = %request.version_b,
            calls = prepared.calls.len(), model = request.plan.model.as_ref().map(tracing::field::display),
            "a run in the lab was started"
        );
        Ok(id)
    }

    async fn prepare(&self, mut request: RunRequest) -> Result<Prepared, LabError> {
        request.validate()?;
        let set = self.set(request.set_id).await?;
        if set.summary.agent_type != request.agent_type {
            return Err(LabError::invalid(
                "set_id",
                "set_of_another_agent",
                format!(
                    "The set {:?} belongs to {}, not to {}. Choose a set of this agent.",
                    set.summary.name, set.summary.agent_type, request.agent_type
                ),
            ));
        }
        if set.test_cases.is_empty() {
            return Err(LabError::invalid(
                "set_id",
                "empty_set",
                format!(
                    "The set {:?} has no case. Add or import some; a verdict needs about 20 at least.",
                    set.summary.name
                ),
            ));
        }
        let cases: Vec<TestCase> = set.test_cases.into_iter().map(|stored| stored.case).collect();
        let management = &self.services.management;
        let text = async |version| {
            let content = management.get_prompt_content(&request.agent_type, version).await?;
            Ok::<_, LabError>(content.prompt_text)
        };
        let mut versions = vec![(Side::A, request.version_a), (Side::B, request.version_b)];
        if request.plan.noise {
            let same = request.version_a == request.version_b;
            let active = management.active(&request.agent_type).await?.map(|active| active.version.version);
            let version = if same { request.version_a } else { active.unwrap_or(request.version_a) };
            request.plan.noise_version = Some(version);
            if !same {
                versions.push((Side::N, version));
                if version != request.version_a && version != request.version_b {
                    versions.push((Side::M, version));
                }
            }
        } else {
            request.plan.noise_version = None;
        }
        let mut sides = Vec::with_capacity(versions.len());
        for (side, version) in versions {
            let text = text(version).await?;
            let messages = cases
                .iter()
                .map(|case| Messages::of(&text, &version.to_string(), case))
                .collect::<Result<Vec<_>, _>>()?;
            sides.push((side, messages));
        }
        if request.plan.judge.is_none()
            && let Some(case) = cases.iter().find(|case| rubrics(case).next().is_some())
        {
            return Err(LabError::invalid(
                "judge",
                "judge_missing",
                format!(
                    "The case {:?} has the check llm-rubric, and no model was chosen to judge. Choose one, or take the check out.",
                    case.name
                ),
            ));
        }
        // Every answer would pass, of either version: that is no reason to call them equivalent.
        let rests_on_checks = matches!(request.plan.primary, Metric::PassRate | Metric::Score);
        if rests_on_checks && request.plan.margin.is_some() && cases.iter().all(|case| case.checks.is_empty()) {
            return Err(LabError::invalid(
                "primary",
                "no_checks",
                format!(
                    "No case of the set {:?} has a check, so that every answer passes and the versions would be called \
                     equivalent. Give the cases checks, decide by another metric, or leave the margin out.",
                    set.summary.name
                ),
            ));
        }
        if request.budget_usd.is_some() && request.plan.model.is_some() {
            // A budget is kept by what calls are reserved at, so no answer may be longer than that.
            request.plan.settings.max_tokens.get_or_insert(ASSUMED_OUTPUT_TOKENS);
        }
        let prices = RunPrices::of(&request.plan, &self.prices);
        let calls = schedule(&request.plan, &cases, &sides, prices);
        if calls.len() as u64 > MAX_CALLS {
            return Err(LabError::invalid(
                "repeats",
                "too_many_calls",
                format!(
                    "The run would make {} calls; at most {MAX_CALLS} are made. Take fewer cases or repeats.",
                    calls.len()
                ),
            ));
        }
        Ok(Prepared { request, set_name: set.summary.name, cases, sides, prices, calls })
    }

    /// Refuses a budget that could not be kept, because nobody knows what a call costs.
    fn check_budget(&self, prepared: &Prepared, has_answers: bool) -> Result<(), LabError> {
        let unpriced = self.unpriced(prepared, has_answers);
        if prepared.request.budget_usd.is_none() || unpriced.is_empty() {
            return Ok(());
        }
        Err(LabError::invalid(
            "budget_usd",
            "price_unknown",
            format!(
                "A budget needs prices, and the price table has none for {}. Add a line to it, or leave the budget out.",
                unpriced.join(" and ")
            ),
        ))
    }

    /// The models of a run that are asked and have no price: when it `has_answers`, judges alone are asked.
    fn unpriced(&self, prepared: &Prepared, has_answers: bool) -> Vec<String> {
        let plan = &prepared.request.plan;
        let has_judge_calls = prepared.calls.iter().any(|call| !matches!(call.kind, CallKind::Answer { .. }));
        let judge = plan.judge.as_ref().filter(|_| has_judge_calls);
        let mut names: Vec<String> = [plan.model.as_ref().filter(|_| !has_answers), judge]
            .into_iter()
            .flatten()
            .filter(|model| self.prices.of(model).is_none())
            .map(ModelName::to_string)
            .collect();
        names.dedup();
        names
    }
}

/// Answers that were produced elsewhere as they are kept, their checks made.
fn imported(cases: &[TestCase], outputs: Vec<OutsideOutput>) -> Result<Vec<ImportedAnswer>, LabError> {
    let numbered: HashMap<&str, (u32, &TestCase)> =
        (1..).zip(cases).map(|(number, case)| (case.name.as_str(), (number, case))).collect();
    outputs
        .into_iter()
        .map(|output| {
            // The set may have changed since the outputs were read.
            let &(case_number, case) = numbered.get(output.case.as_str()).ok_or_else(|| {
                LabError::invalid("set_id", "set_changed", "The set was changed meanwhile. Send the answers again.")
            })?;
            let subject = Subject {
                output: &output.output,
                expected: case.expected.as_deref(),
                latency_ms: output.latency_ms,
                cost_usd: output.cost_usd,
            };
            let checks = evaluated(case, &subject);
            Ok(ImportedAnswer {
                case_number,
                repeat: output.repeat,
                side: output.side,
                latency_ms: output.latency_ms,
                first_token_ms: output.time_to_first_token_ms,
                input_tokens: output.input_tokens,
                output_tokens: output.output_tokens,
                cost_usd: output.cost_usd,
                answer: output.output,
                checks,
            })
        })
        .collect()
}
