//! The stream of events: how promotions are heard of.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use serde::Deserialize;
use versioning::{AgentType, Version};

use crate::{
    EventLines, ServerEvent,
    client::{Shared, jittered},
};

/// The pauses between two attempts to open the stream grow from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(2);

/// What an event says.
#[derive(Debug, Deserialize)]
struct Said {
    agent_type: AgentType,
    version: Option<Version>,
}

/// Follows the registry for ever. Each stream begins with how things stand, so nothing is missed between two of them.
pub async fn follow(shared: Arc<Shared>) {
    let mut pause = RETRY_FIRST;
    loop {
        // A connection that is taken and never answered ends as well.
        match tokio::time::timeout(shared.settings.silence, shared.registry.events()).await {
            Ok(Ok(response)) => {
                tracing::debug!("following the registry");
                pause = RETRY_FIRST;
                read(&shared, response).await;
                tracing::debug!("the registry's events stopped");
            }
            Ok(Err(error)) => tracing::debug!(%error, "the registry's events cannot be followed yet"),
            Err(_) => tracing::debug!("the registry does not answer"),
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(RETRY_LAST);
    }
}

/// Reads until the stream ends, or is silent for longer than the registry ever is: then something in between hangs.
async fn read(shared: &Arc<Shared>, response: reqwest::Response) {
    let mut pieces = response.bytes_stream();
    let mut lines = EventLines::default();
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(shared.settings.silence, pieces.next()).await {
        for event in lines.push(&piece) {
            hear(shared, &event);
        }
    }
}

fn hear(shared: &Arc<Shared>, event: &ServerEvent) {
    // A newer registry may say what this client does not know.
    let Ok(said) = serde_json::from_str::<Said>(&event.data) else { return };
    match event.kind.as_str() {
        // An agent without anything live has nothing to be read.
        "active" if said.version.is_some() => shared.hear(&said.agent_type, said.version),
        "cleared" => shared.hear(&said.agent_type, None),
        _ => {}
    }
}
