//! An agent in the process of the registry, or in one that shares its database: the loading service is its cache.

use std::error::Error;

use versioning::{ActivePrompt, Listener, LoadingSettings, PromptLoader, PromptStore, Services, listen};

/// The services, to be made once in a process, and what hears of promotions as long as it is held.
pub async fn connect(pool: sqlx::PgPool) -> (Services, Listener) {
    // begin
    let services = Services::new(PromptStore::new(pool), LoadingSettings::default());
    let listener = listen(&services).await;
    // end
    (services, listener)
}

/// From memory, after the first time.
pub async fn load(services: &Services) -> Result<ActivePrompt, Box<dyn Error>> {
    // begin
    let prompt = services.loading.load(&"backend_dev".parse()?).await?;
    println!("{} from {}: {}", prompt.version, prompt.source, prompt.text);
    // end
    Ok(prompt)
}
