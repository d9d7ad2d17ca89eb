//! An answer as it comes, as server-sent events.

use std::convert::Infallible;

use agents::{Piece, Reply};
use axum::response::{
    IntoResponse, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::json;
use versioning::AgentType;

use super::{RespondResponse, milliseconds};

/// The version, the text as it comes, and how it ended. When the client goes away the stream is dropped, and the call with it.
pub(super) fn answer(agent_type: &AgentType, reply: Reply) -> impl IntoResponse + use<> {
    let known = RespondResponse::begin(agent_type, &reply);
    let prompt = json!({
        "agent_type": known.agent_type, "version": known.version, "source": known.source, "model": known.model,
    });
    let first = stream::iter([event("prompt", &prompt)]);
    let rest = stream::unfold(Some(reply), move |reply| {
        let mut known = known.clone();
        async move {
            let mut reply = reply?;
            let (event, is_last) = match reply.next_priced().await? {
                Ok((Piece::Text(text), _)) => (event("text", &json!({ "text": text })), false),
                Ok((Piece::End(ending), cost)) => {
                    known.stop = ending.stop.as_str();
                    (known.input_tokens, known.output_tokens) = (ending.usage.input_tokens, ending.usage.output_tokens);
                    known.cost_usd = cost;
                    known.latency_ms = milliseconds(reply.elapsed());
                    known.first_token_ms = reply.time_to_first_token().map(milliseconds);
                    (event("end", &known), true)
                }
                Err(error) => (event("error", &json!({ "code": error.kind.as_str(), "detail": error.message })), true),
            };
            Some((event, (!is_last).then_some(reply)))
        }
    });
    Sse::new(first.chain(rest).map(Ok::<_, Infallible>)).keep_alive(KeepAlive::default())
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // Texts and numbers always have a JSON form.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
