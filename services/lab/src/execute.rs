//! One call: asking the model, or a judge, and what became of it.

use std::{sync::Arc, time::Duration};

use agents::{Answer, LanguageModel, ModelError, ModelRequest, ModelSettings, Price, Retries, StopReason, complete};
use versioning::ErrorKind;

use crate::{
    LabError, Messages, Run, Side,
    cases::TestCase,
    checks::{
        CheckResult, JudgePrompt, Subject, outcome_of_rubric, pair_prompt, read_pair, read_rubric, rubric_prompt,
    },
    runner::AGAIN,
    schedule::{CallKind, JUDGE_OUTPUT_TOKENS, RunPrices},
    store::{Claimed, Finished, LabStore, Record, StoredPick},
};

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// What the calls of a run need: read once for a node and run.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub run: Run,
    pub cases: Vec<TestCase>,
    pub prompts: Vec<(Side, String)>,
    pub prices: RunPrices,
    pub store: LabStore,
    pub models: Arc<dyn LanguageModel>,
    pub retries: Retries,
}

impl RunContext {
    /// Makes a call. Whatever goes wrong is a result.
    pub(crate) async fn make(&self, call: &Claimed) -> Finished {
        let made = match call.kind {
            CallKind::Answer { side } => self.ask(call, side).await,
            CallKind::Rubric { side: _, check } => self.judge_rubric(call, check).await,
            CallKind::Pair { .. } => self.judge_pair(call).await,
        };
        let Made { attempts, owed_usd, record } = made.unwrap_or_else(|error| {
            tracing::error!(run = %self.run.id, call = call.number, %error, "a call of a run could not be made");
            let message = "The call could not be made; the server's log says why.".into();
            let record = Record::Failed { kind: "internal".into(), message, cost_usd: None };
            Made { attempts: 0, owed_usd: 0.0, record }
        });
        Finished { number: call.number, attempts, owed_usd, record: record.storable() }
    }

    fn case(&self, call: &Claimed) -> Result<&TestCase, LabError> {
        let place = usize::try_from(call.case_number).ok().and_then(|number| number.checked_sub(1));
        place.and_then(|place| self.cases.get(place)).ok_or_else(|| LabError::inconsistent("a call without its case"))
    }

    async fn ask(&self, call: &Claimed, side: Side) -> Result<Made, LabError> {
        let case = self.case(call)?;
        let prompt = self.prompts.iter().find(|(other, _)| *other == side).map_or("", |(_, text)| text.as_str());
        let Messages { system, user } = Messages::of(prompt, &self.run.version_of(side).to_string(), case)?;
        let plan = &self.run.plan;
        let model = plan.model.clone().ok_or_else(|| LabError::inconsistent("a run without a model"))?;
        let request = ModelRequest {
            model,
            system,
            user,
            settings: ModelSettings {
                // Repeats with one seed would be one answer, over and over.
                seed: plan.settings.seed.map(|seed| seed.wrapping_add(u64::from(call.repeat - 1))),
                ..plan.settings.clone()
            },
            timeout: CALL_TIMEOUT,
        };
        let tried = self.complete(&request, call.estimate_usd).await;
        let record = match tried.outcome {
            Err(error) => failed(&error),
            Ok(answer) => {
                let cost_usd = cost(self.prices.model, &answer);
                let (answer, checks) = checked(case, answer, cost_usd).await?;
                answered(answer, cost_usd, serde_json::to_value(checks)?)
            }
        };
        Ok(Made { attempts: tried.attempts, owed_usd: tried.owed_usd, record })
    }

    async fn judge_rubric(&self, call: &Claimed, check: usize) -> Result<Made, LabError> {
        let case = self.case(call)?;
        let rubric = case.checks.get(check).ok_or_else(|| LabError::inconsistent("a judge without its check"))?;
        let text = match rubric {
            crate::checks::Check::LlmRubric { value, .. } => value.as_str(),
            _ => return Err(LabError::inconsistent("a judge of a check that needs none")),
        };
        let answer = call.answers.first().map_or("", String::as_str);
        let prompt = rubric_prompt(text, &case.input, answer, case.expected.as_deref());
        self.judged(call, prompt, |said| {
            let opinion = read_rubric(said)?;
            serde_json::to_value(outcome_of_rubric(rubric, &opinion)).map_err(|error| error.to_string())
        })
        .await
    }

    async fn judge_pair(&self, call: &Claimed) -> Result<Made, LabError> {
        let case = self.case(call)?;
        let question = self.run.plan.question.as_deref().unwrap_or_default();
        let [first, second] = call.answers.as_slice() else {
            return Err(LabError::inconsistent("a comparison without two answers"));
        };
        let prompt = pair_prompt(question, &case.input, first, second);
        self.judged(call, prompt, |said| {
            let (pick, reason) = read_pair(said)?;
            serde_json::to_value(StoredPick { pick, reason }).map_err(|error| error.to_string())
        })
        .await
    }

    /// Asks, and asks again after failures that may pass, as long as the budget has room for it: an attempt without an answer may
    /// be billed like one with an answer.
    async fn complete(&self, request: &ModelRequest, estimate_usd: f64) -> Tried {
        let (mut attempts, mut owed_usd) = (0, 0.0);
        loop {
            attempts += 1;
            let mut error = match complete(&*self.models, request).await {
                Ok(answer) => return Tried { attempts, owed_usd, outcome: Ok(answer) },
                Err(error) => error,
            };
            if error.may_cost() {
                owed_usd += estimate_usd;
            }
            let Some(wait) = self.retries.again(attempts, &error) else {
                return Tried { attempts, owed_usd, outcome: Err(error) };
            };
            if self.run.budget_usd.is_some() && owed_usd > 0.0 {
                let may_go_on = self.charge(owed_usd).await;
                owed_usd = 0.0;
                if !may_go_on {
                    error.message.push_str(" It was not tried again: the budget has no room for it.");
                    return Tried { attempts, owed_usd, outcome: Err(error) };
                }
            }
            tracing::debug!(model = %request.model, kind = %error.kind, attempts, ?wait, "model is asked again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Charges the run for attempts without an answer, and tells whether another one fits. Without the database nobody knows.
    async fn charge(&self, cost_usd: f64) -> bool {
        loop {
            match self.store.charge(self.run.id, cost_usd).await {
                Ok(may_go_on) => return may_go_on,
                Err(error) if error.kind() == ErrorKind::Unavailable => tokio::time::sleep(AGAIN).await,
                Err(error) => {
                    tracing::error!(run = %self.run.id, %error, "a run could not be charged");
                    return false;
                }
            }
        }
    }

    /// Asks the judge. What it says and cannot be read is a failure, and costs all the same.
    async fn judged(
        &self,
        call: &Claimed,
        JudgePrompt { system, user }: JudgePrompt,
        read: impl FnOnce(&str) -> Result<serde_json::Value, String>,
    ) -> Result<Made, LabError> {
        let plan = &self.run.plan;
        let judge = plan.judge.clone().ok_or_else(|| LabError::inconsistent("a run without a judge"))?;
        // No temperature: models that reason refuse any but their own.
        let settings = ModelSettings { max_tokens: Some(JUDGE_OUTPUT_TOKENS), ..ModelSettings::default() };
        let request = ModelRequest { model: judge, system, user, settings, timeout: CALL_TIMEOUT };
        let tried = self.complete(&request, call.estimate_usd).await;
        let record = match tried.outcome {
            Err(error) => failed(&error),
            Ok(answer) => {
                let cost_usd = cost(self.prices.judge, &answer);
                match read(&answer.text) {
                    Ok(result) => answered(answer, cost_usd, result),
                    Err(reason) => Record::Failed {
                        kind: "unreadable_judgement".into(),
                        message: if answer.stop == StopReason::Length {
                            format!(
                                "The judge was cut off at {JUDGE_OUTPUT_TOKENS} tokens. Choose one that thinks less."
                            )
                        } else {
                            format!("The judge's answer could not be read: {reason}")
                        },
                        cost_usd: cost_usd.or(Some(call.estimate_usd)),
                    },
                }
            }
        };
        Ok(Made { attempts: tried.attempts, owed_usd: tried.owed_usd, record })
    }
}

/// What came of a call.
struct Made {
    attempts: u32,
    owed_usd: f64,
    record: Record,
}

/// What came of asking a model.
struct Tried {
    attempts: u32,
    /// What attempts without an answer cost, by estimate, as far as the run was not charged for them.
    owed_usd: f64,
    outcome: Result<Answer, ModelError>,
}

/// An answer, and the checks of its case on it. Patterns and schemas take a processor for a while.
async fn checked(
    case: &TestCase,
    answer: Answer,
    cost_usd: Option<f64>,
) -> Result<(Answer, Vec<Option<CheckResult>>), LabError> {
    if case.checks.is_empty() {
        return Ok((answer, Vec::new()));
    }
    let case = case.clone();
    let made = versioning::aside(move || {
        let subject = Subject {
            output: &answer.text,
            expected: case.expected.as_deref(),
            latency_ms: Some(milliseconds(answer.latency)),
            cost_usd,
        };
        let checks = evaluated(&case, &subject);
        (answer, checks)
    });
    Ok(made.await?)
}

/// The checks of a case on an answer; none in the place of those that a judge decides.
pub(crate) fn evaluated(case: &TestCase, subject: &Subject<'_>) -> Vec<Option<CheckResult>> {
    case.checks.iter().map(|check| check.evaluate(subject)).collect()
}

fn answered(answer: Answer, cost_usd: Option<f64>, result: serde_json::Value) -> Record {
    Record::Answered {
        stop: match answer.stop {
            StopReason::Finished => "finished",
            StopReason::Length => "length",
            StopReason::Filtered => "filtered",
            StopReason::Other => "other",
        },
        latency_ms: Some(milliseconds(answer.latency)),
        first_token_ms: answer.time_to_first_token.map(milliseconds),
        input_tokens: answer.usage.input_tokens,
        output_tokens: answer.usage.output_tokens,
        cost_usd,
        answer: answer.text,
        result,
    }
}

fn failed(error: &ModelError) -> Record {
    Record::Failed { kind: error.kind.as_str().into(), message: error.message.clone(), cost_usd: None }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// What an answer cost, as far as the provider said how many tokens it was and the table has a price.
fn cost(price: Option<Price>, answer: &Answer) -> Option<f64> {
    let input = answer.usage.input_tokens?;
    let output = answer.usage.output_tokens?;
    price.map(|price| price.cost(input.into(), output.into()))
}
