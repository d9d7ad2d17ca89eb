//! Which models can be asked.

use std::time::{Duration, Instant};

use futures_util::future;
use reqwest::StatusCode;
use serde::Deserialize;

use super::{
    Models,
    failures::{cause, clean},
    settings,
};
use crate::{ModelError, ModelErrorKind, ModelName, Provider, ProviderState, Reachability};

/// How long what was found is shown.
const FRESH: Duration = Duration::from_secs(30);
/// How long an endpoint may take to list its models.
const PATIENCE: Duration = Duration::from_millis(1500);
/// The most models that are listed of an endpoint.
const MOST_MODELS: usize = 500;
/// The longest list that is read.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// What Ollama (`models`, `name`) and OpenAI-compatible endpoints (`data`, `id`) answer, as far as it is looked at. Some of
/// the latter answer both ways at once.
#[derive(Deserialize)]
struct Listing {
    data: Option<Vec<Listed>>,
    models: Option<Vec<Listed>>,
}

#[derive(Deserialize)]
struct Listed {
    id: Option<String>,
    name: Option<String>,
}

impl Listing {
    fn names(self) -> impl Iterator<Item = String> {
        self.data.or(self.models).unwrap_or_default().into_iter().filter_map(|listed| listed.id.or(listed.name))
    }
}

impl Models {
    /// What [`LanguageModel::catalogue`](crate::LanguageModel::catalogue) answers: found out at most twice a minute, and
    /// once for all who ask meanwhile.
    pub(super) async fn look_around(&self) -> Vec<ProviderState> {
        let mut known = self.known.lock().await;
        if let Some((when, states)) = known.as_ref()
            && when.elapsed() < FRESH
        {
            return states.clone();
        }
        let states = future::join_all(Provider::ALL.map(|provider| self.look_at(provider))).await;
        *known = Some((Instant::now(), states.clone()));
        states
    }

    async fn look_at(&self, provider: Provider) -> ProviderState {
        let with = |models, state| ProviderState { provider, models, state };
        let how = || Reachability::NotConfigured { how: settings::how_to_configure(provider).into() };
        let found = match provider {
            // A key is all that they need; a wrong one shows with the first call.
            Provider::OpenAi | Provider::Anthropic | Provider::Gemini if self.key(provider).is_none() => {
                return with(Vec::new(), how());
            }
            Provider::OpenAi | Provider::Anthropic | Provider::Gemini => {
                let models = self.prices.models(provider).map(ToString::to_string).collect();
                return with(models, Reachability::Reachable);
            }
            Provider::Ollama => self.list(provider, "api/tags").await,
            Provider::Compatible => self.list(provider, "models").await,
        };
        match found {
            Ok(models) => with(models, Reachability::Reachable),
            Err(error) if error.kind == ModelErrorKind::NotConfigured => {
                with(Vec::new(), Reachability::NotConfigured { how: error.message })
            }
            // Nobody said that there is one.
            Err(_) if provider == Provider::Ollama && self.settings.ollama_url.is_none() => with(Vec::new(), how()),
            Err(error) => with(Vec::new(), Reachability::Unreachable { why: error.message }),
        }
    }

    /// The full names of what an endpoint lists.
    async fn list(&self, provider: Provider, path: &str) -> Result<Vec<String>, ModelError> {
        let address = self.address(provider)?;
        let variable = settings::address_variable(provider);
        let unreachable = |what: String| {
            let message = format!("{} {what} Check that it runs and that {variable} is right.", address.shown());
            ModelError::new(ModelErrorKind::Unreachable, message)
        };
        let mut request = self.lines.to(&address)?.http.get(address.join(path));
        if let Some(key) = self.key(provider) {
            request = request.bearer_auth(key.expose());
        }
        let listed = tokio::time::timeout(PATIENCE, async {
            let failed =
                |error: reqwest::Error| format!("does not answer ({}).", clean(&cause(&error), &self.secrets()));
            let mut response = request.send().await.map_err(failed)?;
            match response.status() {
                status if status.is_success() => {}
                // Some endpoints have no list. They answer, which is what was asked.
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED if provider == Provider::Compatible => {
                    return Ok(Vec::new());
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(format!("refuses the key; check {}.", settings::key_variable(provider)));
                }
                status => return Err(format!("answers with status {}.", status.as_u16())),
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                body.extend_from_slice(&chunk);
                if body.len() > MOST_BYTES {
                    return Err("lists more models than can be shown.".into());
                }
            }
            let listing = serde_json::from_slice::<Listing>(&body);
            let listing = listing.map_err(|_| "does not list its models as this API does.".to_owned())?;
            Ok(listing.names().filter_map(|name| ModelName::new(provider, &name).ok()).take(MOST_MODELS).collect())
        });
        let listed =
            listed.await.unwrap_or_else(|_| Err(format!("does not answer within {} s.", PATIENCE.as_secs_f64())));
        let mut names: Vec<ModelName> = listed.map_err(unreachable)?;
        names.sort_unstable();
        Ok(names.into_iter().map(String::from).collect())
    }
}
