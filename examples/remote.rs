//! An agent outside the server: the client crate keeps its prompt in memory, and hears of promotions.

use std::error::Error;

use client::{ClientSettings, PromptClient};
use versioning::{ActivePrompt, PromptLoader};

/// A client, to be made once in a process.
pub fn connect(registry: &str, fallback: &std::path::Path) -> Result<PromptClient, Box<dyn Error>> {
    // begin
    let settings = ClientSettings { fallback_file: Some(fallback.into()), ..ClientSettings::new(registry) };
    let prompts = PromptClient::new(settings)?;
    // end
    Ok(prompts)
}

/// From memory, after the first time.
pub async fn load(prompts: &PromptClient) -> Result<ActivePrompt, Box<dyn Error>> {
    // begin
    let prompt = prompts.load(&"backend_dev".parse()?).await?;
    println!("{} from {}: {}", prompt.version, prompt.source, prompt.text);
    // end
    Ok(prompt)
}
