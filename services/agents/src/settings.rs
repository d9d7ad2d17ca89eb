//! How a model is asked.

use serde::{Deserialize, Serialize};

/// What a provider lets its callers choose. What is absent is left to the provider.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// How much chance there is in the answer: from 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The share of likely tokens that is drawn from: above 0, at most 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The longest answer in tokens: from 1 to 200,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The same seed gives the same answer as far as the provider can. Anthropic takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A setting that no provider takes; the message is fit for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidSetting {
    /// The field of [`ModelSettings`].
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl ModelSettings {
    /// The most tokens that can be asked for.
    pub const MAX_TOKENS: u32 = 200_000;

    /// Checks the ranges. JSON knows neither infinity nor NaN, but forms do: those are refused too.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let invalid = |field, message: &str| Err(InvalidSetting { field, message: message.to_owned() });
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return invalid("temperature", "The temperature is a number from 0 to 2.");
        }
        if self.top_p.is_some_and(|top_p| !(top_p > 0.0 && top_p <= 1.0)) {
            return invalid("top_p", "Top-p is a number above 0 and at most 1.");
        }
        if self.max_tokens.is_some_and(|tokens| !(1..=Self::MAX_TOKENS).contains(&tokens)) {
            return invalid("max_tokens", "The most tokens of an answer are a whole number from 1 to 200,000.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(settings: ModelSettings) -> Option<&'static str> {
        settings.validate().err().map(|invalid| invalid.field)
    }

    #[test]
    fn ranges_are_checked_at_their_ends() {
        let temperature = |value| field(ModelSettings { temperature: Some(value), ..Default::default() });
        assert_eq!([0.0, 2.0].map(temperature), [None, None]);
        assert_eq!([-0.01, 2.01, f64::NAN, f64::INFINITY].map(temperature), [Some("temperature"); 4]);
        let top_p = |value| field(ModelSettings { top_p: Some(value), ..Default::default() });
        assert_eq!([0.001, 1.0].map(top_p), [None, None]);
        assert_eq!([0.0, 1.001, f64::NAN].map(top_p), [Some("top_p"); 3]);
        let tokens = |value| field(ModelSettings { max_tokens: Some(value), ..Default::default() });
        assert_eq!([1, 200_000].map(tokens), [None, None]);
        assert_eq!([0, 200_001].map(tokens), [Some("max_tokens"); 2]);
        assert_eq!(field(ModelSettings::default()), None);
    }

    #[test]
    fn what_is_absent_is_not_written() {
        assert_eq!(serde_json::to_string(&ModelSettings::default()).unwrap(), "{}");
        let settings = ModelSettings { temperature: Some(0.5), seed: Some(7), ..Default::default() };
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(json, r#"{"temperature":0.5,"seed":7}"#);
        assert_eq!(serde_json::from_str::<ModelSettings>(&json).unwrap(), settings);
        assert!(serde_json::from_str::<ModelSettings>(r#"{"temprature":1}"#).is_err());
    }
}
