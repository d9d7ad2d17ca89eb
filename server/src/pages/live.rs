//! What happens in the registry, as server-sent events, for pages that stay open.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use app::{api::EventRow, frame_parts};
use axum::{
    Router,
    extract::{Query, Request, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event as SseEvent, KeepAlive},
    },
    routing::get,
};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use versioning::Event;

use super::provide_page_context;
use crate::state::AppState;

/// Events that a page missed and is told of; it reads everything anew after the first in any case.
const MISSED: u32 = 100;

/// The address of the stream, and of what every page has around it.
pub fn router() -> Router<AppState> {
    Router::new().route("/api/pages/events", get(events)).route("/api/pages/frame", get(frame))
}

/// A page that is open.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenPage {
    /// Its path.
    at: String,
    /// The agent that it is of; empty when it is of none.
    agent: String,
}

/// What stands around a page and follows every event. The page itself, with all its texts, is read again only when it shows what
/// changed.
async fn frame(State(state): State<AppState>, Query(page): Query<OpenPage>, request: Request) -> Response {
    let OpenPage { at, agent } = page;
    let parts = leptos_axum::render_app_async_with_context(
        move || provide_page_context(&state),
        move || frame_parts(at.clone(), agent.clone()),
    );
    parts(request).await
}

#[derive(Debug, Deserialize)]
struct After {
    /// The last event that the page shows.
    #[serde(default)]
    after: i64,
}

struct Stream {
    state: AppState,
    receiver: Receiver<Arc<Event>>,
    /// To be sent before what is received.
    waiting: std::vec::IntoIter<Event>,
    after: i64,
    sent: HashSet<i64>,
}

async fn events(
    State(state): State<AppState>,
    headers: http::HeaderMap,
    Query(After { after }): Query<After>,
) -> Response {
    // A browser that lost the connection says what it had last.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = last.unwrap_or(after);
    // First listen, then ask what was missed: nothing falls between the two.
    let receiver = state.services.activity.subscribe().await;
    let waiting = match state.services.management.events_after(after, MISSED).await {
        Ok(events) => events.into_iter(),
        Err(error) => {
            tracing::debug!(%error, "cannot tell a page what it missed");
            Vec::new().into_iter()
        }
    };
    let stream = Stream { state, receiver, waiting, after, sent: HashSet::new() };
    let stream = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

impl Stream {
    /// The next event; none when the server is stopping.
    async fn next(&mut self) -> Option<SseEvent> {
        let state = self.state.clone();
        loop {
            let stopping = state.stopping.notified();
            if state.is_draining() {
                return None;
            }
            let event = match self.waiting.next() {
                Some(event) => event,
                None => tokio::select! {
                    received = self.receiver.recv() => match received {
                        Ok(event) => Event::clone(&event),
                        // It missed some: the next one makes the page read everything anew.
                        Err(RecvError::Lagged(_)) => continue,
                        Err(RecvError::Closed) => return None,
                    },
                    () = stopping => return None,
                },
            };
            if event.id <= self.after || !self.sent.insert(event.id) {
                continue;
            }
            let id = event.id.to_string();
            match SseEvent::default().event("change").id(id).json_data(EventRow::from(event)) {
                Ok(event) => return Some(event),
                Err(error) => tracing::error!(%error, "an event could not be written"),
            }
        }
    }
}
