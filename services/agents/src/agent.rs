//! [`Agent`]: asks a model with the prompt that is live.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use versioning::{ActivePrompt, AgentType, LoadError, PromptLoader, PromptSource, Version, template};

use crate::{
    CallSink, LanguageModel, ModelError, ModelName, ModelRequest, ModelSettings, Prices, Reply, calls::CallSubject,
};

/// How many calls are made at once, and how long they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentLimits {
    /// Calls under way at most; more wait.
    pub concurrency: usize,
    /// How long a call waits for its turn.
    pub wait: Duration,
    /// How long a call may take.
    pub timeout: Duration,
}

impl AgentLimits {
    /// The longest that an answer can take in all.
    pub fn longest(&self) -> Duration {
        self.wait + self.timeout
    }
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self { concurrency: 64, wait: Duration::from_secs(2), timeout: Duration::from_secs(120) }
    }
}

/// What all agents of a process share: where prompts come from, what answers, and where calls are recorded.
#[derive(Debug, Clone)]
pub struct AgentRuntime {
    loader: Arc<dyn PromptLoader>,
    model: Arc<dyn LanguageModel>,
    prices: Arc<Prices>,
    calls: Arc<dyn CallSink>,
    limits: AgentLimits,
    turns: Arc<Semaphore>,
}

impl AgentRuntime {
    /// A runtime for any number of agents.
    pub fn new(
        loader: Arc<dyn PromptLoader>,
        model: Arc<dyn LanguageModel>,
        prices: Prices,
        calls: Arc<dyn CallSink>,
        limits: AgentLimits,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(limits.concurrency));
        Self { loader, model, prices: Arc::new(prices), calls, limits, turns }
    }

    /// The agent of a type. It costs nothing: what it says is read when it is asked.
    pub fn agent(&self, agent_type: AgentType) -> Agent {
        Agent { agent_type, runtime: self.clone() }
    }

    /// The models that answer.
    pub fn model(&self) -> &Arc<dyn LanguageModel> {
        &self.model
    }

    /// The limits.
    pub fn limits(&self) -> AgentLimits {
        self.limits
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, AgentError> {
        match tokio::time::timeout(self.limits.wait, self.turns.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // The semaphore is never closed, so what remains is the wait.
            Ok(Err(_)) | Err(_) => Err(AgentError::Busy { calls: self.limits.concurrency }),
        }
    }
}

/// What an agent is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What the user says.
    pub input: String,
    /// Values for the template variables of the prompt.
    pub variables: BTreeMap<String, String>,
    /// Who answers.
    pub model: ModelName,
    /// How the model is asked.
    pub settings: ModelSettings,
}

/// The system prompt of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPrompt {
    /// Which version it is; none for a text that is no version.
    pub version: Option<Version>,
    /// The text with its variables in it.
    pub text: Arc<str>,
    /// Where it comes from; none for a text that was given.
    pub source: Option<PromptSource>,
}

impl From<ActivePrompt> for UsedPrompt {
    fn from(prompt: ActivePrompt) -> Self {
        Self { version: Some(prompt.version), text: prompt.text, source: Some(prompt.source) }
    }
}

/// An agent: its system prompt is whatever is live in the registry, never a constant.
#[derive(Debug, Clone)]
pub struct Agent {
    agent_type: AgentType,
    runtime: AgentRuntime,
}

impl Agent {
    /// Whose prompt it takes.
    pub fn agent_type(&self) -> &AgentType {
        &self.agent_type
    }

    /// Asks with the prompt that is live. The answer streams; dropping it gives the call up.
    ///
    /// # Errors
    /// There is no prompt, a variable has no value, a setting is out of range, or too many calls are under way.
    pub async fn ask(&self, question: &Question) -> Result<Reply, AgentError> {
        let prompt = self.runtime.loader.load(&self.agent_type).await?;
        self.ask_with(prompt.into(), question).await
    }

    /// The same with a prompt that need not be live: another version, or a text that nobody saved yet.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_with(&self, prompt: UsedPrompt, question: &Question) -> Result<Reply, AgentError> {
        question.settings.validate()?;
        let filled = template::fill(&prompt.text, &question.variables);
        if !filled.missing.is_empty() {
            return Err(AgentError::MissingVariables { version: prompt.version, names: filled.missing });
        }
        let turn = self.runtime.turn().await?;
        let request = ModelRequest {
            model: question.model.clone(),
            system: filled.text,
            user: question.input.clone(),
            settings: question.settings.clone(),
            timeout: self.runtime.limits.timeout,
        };
        let subject = CallSubject {
            agent_type: self.agent_type.clone(),
            version: prompt.version,
            model: question.model.clone(),
            price: self.runtime.prices.of(&question.model),
        };
        let calls = self.runtime.calls.clone();
        Ok(Reply::begin(prompt, request, self.runtime.model.as_ref(), subject, calls, turn))
    }
}

/// Why an agent does not answer. The texts are fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// There is no prompt.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The prompt uses variables that have no value.
    #[error("{}", missing(.version.as_ref(), .names))]
    MissingVariables {
        /// The version; none for a text that is no version.
        version: Option<Version>,
        /// Their names, in order of appearance.
        names: Vec<String>,
    },
    /// A setting is out of its range.
    #[error(transparent)]
    Setting(#[from] crate::InvalidSetting),
    /// Too many calls are under way.
    #[error("{calls} calls are under way, and none ended in time. Try again in a moment.")]
    Busy {
        /// How many may be under way.
        calls: usize,
    },
    /// The model gave no answer.
    #[error(transparent)]
    Model(#[from] ModelError),
}

fn missing(version: Option<&Version>, names: &[String]) -> String {
    let what = version.map_or_else(|| "The prompt".to_owned(), |version| format!("Version {version}"));
    let is_one = names.len() == 1;
    let names: Vec<_> = names.iter().map(|name| format!("{{{{{name}}}}}")).collect();
    let names = names.join(", ");
    if is_one {
        format!("{what} uses {names}, and no value was given for it. Give it a value in variables.")
    } else {
        format!("{what} uses {names}, and no values were given for them. Give each a value in variables.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_variables_are_named() {
        let version = "1.2.0".parse().unwrap();
        let names = ["name", "place"].map(str::to_owned);
        assert_eq!(
            missing(Some(&version), &names[..1]),
            "Version 1.2.0 uses {{name}}, and no value was given for it. Give it a value in variables."
        );
        assert_eq!(
            missing(None, &names),
            "The prompt uses {{name}}, {{place}}, and no values were given for them. Give each a value in variables."
        );
    }
}
