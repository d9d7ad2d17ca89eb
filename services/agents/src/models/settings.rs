//! What providers need, and how to say so.

use crate::{Provider, Secret};

/// Keys and addresses of the providers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelsSettings {
    /// `OPENAI_API_KEY`, unless there is an `OPENAI_BASE_URL`: it is the key of that endpoint then, and nothing to show to OpenAI.
    pub openai_key: Option<Secret>,
    /// `ANTHROPIC_API_KEY`.
    pub anthropic_key: Option<Secret>,
    /// `GEMINI_API_KEY`.
    pub gemini_key: Option<Secret>,
    /// `OLLAMA_HOST`: `127.0.0.1:11434`, `http://gpu.example:11434`. Without it, Ollama is looked for on this machine,
    /// at `http://127.0.0.1:11434`.
    pub ollama_url: Option<String>,
    /// `OPENAI_BASE_URL`: the address of an OpenAI-compatible endpoint with its version, such as
    /// `http://127.0.0.1:8000/v1`.
    pub compatible_url: Option<String>,
    /// The key of the OpenAI-compatible endpoint. From the environment it is `OPENAI_API_KEY` too. Without one, none is
    /// sent.
    pub compatible_key: Option<Secret>,
}

impl ModelsSettings {
    /// Reads the variables that are named at the fields. What is empty counts as not set.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let key = |name| variable(name).as_deref().and_then(Secret::of);
        let url = |name| {
            let text = variable(name)?.trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let compatible_url = url("OPENAI_BASE_URL");
        Self {
            openai_key: if compatible_url.is_none() { key("OPENAI_API_KEY") } else { None },
            anthropic_key: key("ANTHROPIC_API_KEY"),
            gemini_key: key("GEMINI_API_KEY"),
            ollama_url: url("OLLAMA_HOST"),
            compatible_key: compatible_url.as_ref().and_then(|_| key("OPENAI_API_KEY")),
            compatible_url,
        }
    }
}

/// How a provider is made available.
pub(super) fn how_to_configure(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenAi => {
            "Set OPENAI_API_KEY to a key of OpenAI's API, without OPENAI_BASE_URL (the key is for that endpoint then), and \
             start the server again."
        }
        Provider::Anthropic => "Set ANTHROPIC_API_KEY to a key of Anthropic's API and start the server again.",
        Provider::Gemini => "Set GEMINI_API_KEY to a key of Google's Gemini API and start the server again.",
        Provider::Ollama => {
            "Start Ollama on this machine (ollama serve), or set OLLAMA_HOST to where it runs, such as \
             http://127.0.0.1:11434, and start the server again."
        }
        Provider::Compatible => {
            "Set OPENAI_BASE_URL to the endpoint's address with its version, such as http://127.0.0.1:8000/v1, and \
             OPENAI_API_KEY if it asks for a key; then start the server again."
        }
    }
}

/// The variable that holds what proves who is asking.
pub(super) fn key_variable(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenAi | Provider::Compatible => "OPENAI_API_KEY",
        Provider::Anthropic => "ANTHROPIC_API_KEY",
        Provider::Gemini => "GEMINI_API_KEY",
        Provider::Ollama => "OLLAMA_HOST",
    }
}

/// The variable that holds the address, or what is to be said instead of one.
pub(super) fn address_variable(provider: Provider) -> &'static str {
    match provider {
        Provider::OpenAi | Provider::Anthropic | Provider::Gemini => "the provider's address",
        Provider::Ollama => "OLLAMA_HOST",
        Provider::Compatible => "OPENAI_BASE_URL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> ModelsSettings {
        ModelsSettings::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_usual_variables_are_read() {
        let all = settings(&[
            ("OPENAI_API_KEY", "a\n"),
            ("ANTHROPIC_API_KEY", "b"),
            ("GEMINI_API_KEY", "c"),
            ("OLLAMA_HOST", "gpu:11434"),
            ("OPENAI_BASE_URL", " http://127.0.0.1:8000/v1 "),
        ]);
        let key = |text: &str| Some(Secret::from(text));
        assert_eq!(
            all,
            ModelsSettings {
                openai_key: None,
                anthropic_key: key("b"),
                gemini_key: key("c"),
                ollama_url: Some("gpu:11434".into()),
                compatible_url: Some("http://127.0.0.1:8000/v1".into()),
                compatible_key: key("a"),
            }
        );
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let blank = settings(&[("OPENAI_API_KEY", " "), ("OPENAI_BASE_URL", ""), ("OLLAMA_HOST", "")]);
        assert_eq!(blank, ModelsSettings::default());
        let key_alone = settings(&[("OPENAI_API_KEY", "a")]);
        assert!(key_alone.openai_key.is_some() && key_alone.compatible_key.is_none());
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?}", settings(&[("OPENAI_API_KEY", "sk-sentinel"), ("OPENAI_BASE_URL", "http://h/")]));
        assert!(shown.contains("***") && !shown.contains("sentinel"), "{shown}");
    }
}
