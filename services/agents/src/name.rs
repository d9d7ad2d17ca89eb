//! How a model is named.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI, by its chat completions API.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Ollama, on this machine as a rule.
    Ollama,
    /// Any endpoint that speaks OpenAI's chat completions API: vLLM, llama.cpp, LM Studio, a gateway.
    Compatible,
}

impl Provider {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Ollama, Self::Compatible];

    /// The name in front of `::`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Compatible => "compatible",
        }
    }

    /// The name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Ollama => "Ollama",
            Self::Compatible => "OpenAI-compatible endpoint",
        }
    }

    /// The provider of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A model: `provider::name`, such as `openai::gpt-4o-mini`.
///
/// At most 200 characters, none of them white space or a control character. What follows the first `::` is the
/// provider's own name for it and may contain anything else, `::` included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName {
    text: Arc<str>,
    provider: Provider,
}

/// Why a text is no model's name; fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidModelName {
    /// What is wrong and what would be right.
    pub message: String,
}

impl ModelName {
    /// The most characters that a name has.
    pub const MAX_CHARS: usize = 200;

    /// A provider and its own name for the model.
    ///
    /// # Errors
    /// When both together break a rule of names.
    pub fn new(provider: Provider, name: &str) -> Result<Self, InvalidModelName> {
        format!("{provider}::{name}").parse()
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who answers.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The provider's own name for the model: what follows `::`.
    pub fn name(&self) -> &str {
        self.text.split_once("::").map_or("", |(_, name)| name)
    }
}

impl FromStr for ModelName {
    type Err = InvalidModelName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let providers = || Provider::ALL.map(Provider::as_str).join(", ");
        let invalid = |message: String| Err(InvalidModelName { message });
        if text.is_empty() {
            return invalid(format!(
                "A model is needed. Write it as provider::name, such as openai::gpt-4o-mini; the providers are {}.",
                providers()
            ));
        }
        if text.chars().count() > Self::MAX_CHARS {
            return invalid(format!("A model's name has at most {} characters.", Self::MAX_CHARS));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return invalid(format!("A model's name has no white space: {} has some.", quoted(text)));
        }
        let Some((provider, name)) = text.split_once("::") else {
            return invalid(format!(
                "{} names no provider. Write provider::name, such as openai::gpt-4o-mini; the providers are {}.",
                quoted(text),
                providers()
            ));
        };
        let Some(provider) = Provider::from_name(provider) else {
            let known = Provider::ALL.map(Provider::as_str);
            let near = versioning::nearest(&provider.to_lowercase(), known.into_iter());
            let near: Vec<_> = near.iter().map(|provider| quoted(&format!("{provider}::{name}"))).collect();
            let meant =
                if near.is_empty() { String::new() } else { format!(" Perhaps {} is meant.", near.join(" or ")) };
            return invalid(format!(
                "{} is not a provider that Verbatim knows.{meant} The providers are {}.",
                quoted(provider),
                providers()
            ));
        };
        if name.is_empty() {
            return invalid(format!("A model's name is missing after {provider}::, such as {provider}::my-model."));
        }
        Ok(Self { text: text.into(), provider })
    }
}

/// The start of `text`, short enough for a message, with control characters made visible.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for ModelName {
    type Error = InvalidModelName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.text.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<ModelName>().unwrap_err().message
    }

    #[test]
    fn names_are_read_and_shown() {
        for (text, provider, name) in [
            ("openai::gpt-4o-mini", Provider::OpenAi, "gpt-4o-mini"),
            ("anthropic::claude-sonnet-4-5", Provider::Anthropic, "claude-sonnet-4-5"),
            ("gemini::gemini-2.5-flash", Provider::Gemini, "gemini-2.5-flash"),
            ("ollama::llama3.2:3b", Provider::Ollama, "llama3.2:3b"),
            ("compatible::org/model::v2", Provider::Compatible, "org/model::v2"),
        ] {
            let model: ModelName = text.parse().unwrap();
            assert_eq!((model.provider(), model.name(), model.as_str()), (provider, name, text));
            assert_eq!(model.to_string(), text);
            assert_eq!(ModelName::new(provider, name).unwrap(), model);
        }
    }

    #[test]
    fn what_is_no_name_is_told_why() {
        assert!(refusal("").contains("provider::name"));
        assert!(refusal("gpt-4o").contains("names no provider"));
        let unknown = refusal("mistral::large");
        assert!(unknown.contains("\"mistral\"") && unknown.contains("openai, anthropic, gemini, ollama, compatible"));
        assert!(!unknown.contains("Perhaps"), "{unknown}");
        for mistyped in ["opnai::gpt-4o", "OpenAI::gpt-4o"] {
            let refusal = refusal(mistyped);
            assert!(refusal.contains("Perhaps \"openai::gpt-4o\" is meant."), "{refusal}");
        }
        assert!(refusal("ollama::").contains("missing after ollama::"));
        assert!(refusal("ollama::a b").contains("white space"));
        assert!(refusal("ollama::a\u{7}b").contains("\\u{7}"));
    }

    #[test]
    fn names_have_at_most_200_characters() {
        let longest = format!("ollama::{}", "é".repeat(192));
        assert_eq!(longest.parse::<ModelName>().unwrap().as_str(), longest);
        assert!(refusal(&format!("{longest}é")).contains("at most 200"));
    }

    proptest! {
        #[test]
        fn json_holds_the_name_as_a_string(rest in "[a-z0-9.:/_-]{1,40}") {
            let model = ModelName::new(Provider::Compatible, &rest).unwrap();
            let json = serde_json::to_string(&model).unwrap();
            prop_assert_eq!(&json, &format!("\"compatible::{rest}\""));
            prop_assert_eq!(serde_json::from_str::<ModelName>(&json).unwrap(), model);
        }
    }

    #[test]
    fn json_that_is_no_name_is_refused() {
        assert!(serde_json::from_str::<ModelName>("\"gpt\"").unwrap_err().to_string().contains("names no provider"));
    }
}
