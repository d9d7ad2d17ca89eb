//! What happens in the registry, as server-sent events, for pages that stay open.

use std::{collections::HashSet, convert::Infallible, sync::Arc, time::Duration};

use app::api::EventRow;
use axum::{
    Router,
    extract::{Query, State},
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

use crate::state::AppState;

/// How soon an open stream notices that the server is stopping.
const LOOK: Duration = Duration::from_secs(1);

/// Events that a page missed and is told of; it reads everything anew after the first in any case.
const MISSED: u32 = 100;

/// The address of the stream.
pub fn router() -> Router<AppState> {
    Router::new().route("/api/pages/events", get(events))
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
    let receiver = state.services.activity.subscribe();
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
        loop {
            let event = match self.waiting.next() {
                Some(event) => event,
                None => match tokio::time::timeout(LOOK, self.receiver.recv()).await {
                    Ok(Ok(event)) => Event::clone(&event),
                    // It missed some: the next one makes the page read everything anew.
                    Ok(Err(RecvError::Lagged(_))) => continue,
                    Ok(Err(RecvError::Closed)) => return None,
                    Err(_) if self.state.is_draining() => return None,
                    Err(_) => continue,
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
