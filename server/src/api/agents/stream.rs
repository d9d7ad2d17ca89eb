//! An answer as it comes, as server-sent events.

use std::{convert::Infallible, time::Duration};

use agents::{Piece, Reply};
use axum::response::{
    IntoResponse, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use versioning::AgentType;

use super::{RespondResponse, ask, milliseconds};
use crate::state::AppState;

/// Pieces of an answer that wait for a client to read them.
const WAITING: usize = 64;

/// How long after the call's own time limit a client may take to hear of it.
const GRACE: Duration = Duration::from_secs(5);

/// The version, the text as it comes, and how it ended. When the client goes away, or does not read, the call is dropped: its
/// place among the calls under way is not for those who sleep.
pub(super) fn answer(state: AppState, agent_type: &AgentType, reply: Reply) -> impl IntoResponse + use<> {
    let known = RespondResponse::begin(agent_type, &reply);
    let prompt = json!({
        "agent_type": known.agent_type, "version": known.version, "source": known.source, "model": known.model,
    });
    let first = stream::iter([event("prompt", &prompt)]);
    let (sender, mut receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let given_up = reply.deadline() + GRACE;
        tokio::select! {
            () = pass_on(&state, reply, known, &sender) => {}
            () = sender.closed() => {}
            () = tokio::time::sleep_until(given_up) => {}
        }
    });
    let rest = stream::poll_fn(move |context| receiver.poll_recv(context));
    Sse::new(first.chain(rest).map(Ok::<_, Infallible>)).keep_alive(KeepAlive::default())
}

/// Passes an answer on to its end, as fast as it is read.
async fn pass_on(state: &AppState, mut reply: Reply, mut known: RespondResponse, to: &mpsc::Sender<Event>) {
    while let Some(piece) = reply.next_priced().await {
        let (event, is_last) = match piece {
            Ok((Piece::Text(text), _)) => (event("text", &json!({ "text": text })), false),
            Ok((Piece::End(ending), cost)) => {
                known.stop = ending.stop.as_str();
                (known.input_tokens, known.output_tokens) = (ending.usage.input_tokens, ending.usage.output_tokens);
                known.cost_usd = cost;
                known.latency_ms = milliseconds(reply.elapsed());
                known.first_token_ms = reply.time_to_first_token().map(milliseconds);
                (event("end", &known), true)
            }
            Err(error) => {
                let detail = ask::detail(state, reply.model(), &error).await;
                (event("error", &json!({ "code": error.kind.as_str(), "detail": detail })), true)
            }
        };
        if to.send(event).await.is_err() || is_last {
            return;
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // Texts and numbers always have a JSON form.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
