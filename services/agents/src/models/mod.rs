//! [`Models`]: the providers of [`Provider`] over the `genai` library.

mod address;
mod catalogue;
mod failures;
mod line;

mod quiet;
mod settings;
mod streaming;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use futures_util::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use genai::{
    Headers, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    resolver::{AuthData, Endpoint},
};
use tokio::sync::Mutex;

use self::{address::Address, failures::Failures, line::Lines};
use crate::{
    LanguageModel, ModelError, ModelErrorKind, ModelName, ModelRequest, Piece, Prices, Provider, ProviderState, Secret,
};

pub use self::{line::install_tls, settings::ModelsSettings};

/// The models of all providers that are configured.
///
/// OpenAI is asked by its chat completions API, and so is every compatible endpoint; models that speak the responses
/// API only are not reached. Addresses on this machine are asked directly, others through the proxy of the environment
/// (`HTTPS_PROXY`, `NO_PROXY`). No redirect is followed, because a key would travel along.
pub struct Models {
    settings: ModelsSettings,
    prices: Prices,
    /// Addresses instead of the providers' own.
    moved: BTreeMap<Provider, String>,
    lines: Lines,
    /// What was found out last, and when.
    known: Mutex<Option<(Instant, Vec<ProviderState>)>>,
}

impl Models {
    /// Models as the environment configures them ([`ModelsSettings::from_env`]).
    pub fn from_env() -> Self {
        Self::new(ModelsSettings::from_env())
    }

    /// Models as configured. It reads the system's certificates, which takes some milliseconds, so one instance is kept.
    pub fn new(settings: ModelsSettings) -> Self {
        Self {
            settings,
            prices: Prices::built_in(),
            moved: BTreeMap::new(),
            lines: Lines::open(),
            known: Mutex::new(None),
        }
    }

    /// Lists the models of this price table in the catalogue, instead of those of the built-in one.
    #[must_use]
    pub fn with_prices(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// Asks a provider at another address than its own: a gateway in front of it. The address includes the version,
    /// such as `https://gateway.example/v1/`.
    #[must_use]
    pub fn with_address(mut self, provider: Provider, url: impl Into<String>) -> Self {
        self.moved.insert(provider, url.into());
        self
    }

    /// Where a provider is asked.
    fn address(&self, provider: Provider) -> Result<Address, ModelError> {
        let not_configured = |message: String| ModelError::new(ModelErrorKind::NotConfigured, message);
        let configured = match (self.moved.get(&provider), provider) {
            (Some(url), _) => url,
            (None, Provider::OpenAi) => "https://api.openai.com/v1/",
            (None, Provider::Anthropic) => "https://api.anthropic.com/v1/",
            (None, Provider::Gemini) => "https://generativelanguage.googleapis.com/v1beta/",
            (None, Provider::Ollama) => {
                return Address::of_ollama(self.settings.ollama_url.as_deref()).map_err(not_configured);
            }
            (None, Provider::Compatible) => match &self.settings.compatible_url {
                Some(url) => url,
                None => return Err(not_configured(settings::how_to_configure(Provider::Compatible).into())),
            },
        };
        let variable = settings::address_variable(provider);
        Address::parse(configured).map_err(|problem| not_configured(format!("{variable} is not usable: {problem}")))
    }

    /// The key of a provider, if it takes one.
    fn key(&self, provider: Provider) -> Option<&Secret> {
        match provider {
            Provider::OpenAi => self.settings.openai_key.as_ref(),
            Provider::Anthropic => self.settings.anthropic_key.as_ref(),
            Provider::Gemini => self.settings.gemini_key.as_ref(),
            Provider::Ollama => None,
            Provider::Compatible => self.settings.compatible_key.as_ref(),
        }
    }

    /// What the library is to be told about a model, and how its failures are told to users.
    fn target(&self, model: &ModelName) -> Result<(Address, ServiceTarget, Failures), ModelError> {
        let provider = model.provider();
        let address = self.address(provider)?;
        let auth = match (self.key(provider), provider) {
            (Some(key), _) => AuthData::from_single(key.expose()),
            (None, Provider::Ollama) => AuthData::None,
            // The library would send an empty key, which some endpoints refuse. What is written here replaces its
            // address and its headers.
            (None, Provider::Compatible) => {
                AuthData::RequestOverride { url: address.join("chat/completions"), headers: Headers::default() }
            }
            (None, _) => {
                return Err(ModelError::new(ModelErrorKind::NotConfigured, settings::how_to_configure(provider)));
            }
        };
        let adapter = match provider {
            Provider::OpenAi | Provider::Compatible => AdapterKind::OpenAI,
            Provider::Anthropic => AdapterKind::Anthropic,
            Provider::Gemini => AdapterKind::Gemini,
            Provider::Ollama => AdapterKind::Ollama,
        };
        // The whole name, because the library drops everything up to the first `::`.
        let iden = ModelIden::new(adapter, model.as_str());
        let target = ServiceTarget { endpoint: Endpoint::from_owned(address.base()), auth, model: iden };
        let failures = Failures::new(model.clone(), &address, self.secrets());
        Ok((address, target, failures))
    }

    /// Everything that must not be in a message.
    fn secrets(&self) -> Arc<[Secret]> {
        Provider::ALL.into_iter().filter_map(|provider| self.key(provider).cloned()).collect()
    }
}

impl LanguageModel for Models {
    fn stream(&self, request: &ModelRequest) -> BoxStream<'static, Result<Piece, ModelError>> {
        let asked = self.target(&request.model).and_then(|(address, target, failures)| {
            let line = self.lines.to(&address)?;
            Ok(streaming::ask(line.genai.clone(), target, failures, request.clone()))
        });
        asked.unwrap_or_else(|error| stream::iter([Err(error)]).boxed())
    }

    fn catalogue(&self) -> BoxFuture<'_, Vec<ProviderState>> {
        self.look_around().boxed()
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").field("settings", &self.settings).finish_non_exhaustive()
    }
}
