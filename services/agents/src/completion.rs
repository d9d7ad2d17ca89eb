//! One call from its beginning to its end.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream::BoxStream};

use crate::{
    LanguageModel, ModelError, ModelErrorKind, ModelRequest, Piece, StopReason, Usage,
    reading::{Arrivals, apart, in_turn, prepared},
};

/// The longest answer that is taken: 4 MiB.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A whole answer, and what it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text; empty when the model had nothing to say.
    pub text: String,
    /// From just before the request was sent until what made the answer whole came, before it was read.
    pub latency: Duration,
    /// From just before the request was sent until the first text came. Reasoning is no text. An empty answer has
    /// none.
    pub time_to_first_token: Option<Duration>,
    /// The tokens that the provider counted.
    pub usage: Usage,
    /// Why the model stopped.
    pub stop: StopReason,
}

/// Asks once and waits for the whole answer, within `request.timeout`.
///
/// # Errors
/// When there is no whole answer; [`ModelErrorKind::TooLong`] when it is longer than [`MAX_ANSWER_BYTES`].
pub async fn complete(model: &dyn LanguageModel, request: &ModelRequest) -> Result<Answer, ModelError> {
    let (pieces, timeout) = (prepared(|| model.stream(request)), request.timeout);
    let call = apart(async move { tokio::time::timeout(timeout, collect(pieces)).await });
    call.await.unwrap_or_else(|_| Err(timed_out(request)))
}

async fn collect(mut pieces: BoxStream<'static, Result<Piece, ModelError>>) -> Result<Answer, ModelError> {
    let (mut started, mut arrivals) = (Instant::now(), Arrivals::default());
    let mut text = String::new();
    let mut time_to_first_token = None;
    let mut next = in_turn(async {
        started = Instant::now();
        arrivals.next(pieces.next()).await
    })
    .await;
    while let (Some(piece), came) = next {
        let piece = piece.map_err(|error| if time_to_first_token.is_some() { error.after_text() } else { error })?;
        match piece {
            Piece::Text(more) => {
                if !more.is_empty() {
                    time_to_first_token.get_or_insert(came - started);
                }
                if text.len() + more.len() > MAX_ANSWER_BYTES {
                    return Err(ModelError::new(
                        ModelErrorKind::TooLong,
                        "The answer is longer than 4 MiB and was cut off. Ask for fewer tokens.",
                    ));
                }
                text.push_str(&more);
            }
            Piece::End(ending) => {
                let latency = came - started;
                return Ok(Answer { text, latency, time_to_first_token, usage: ending.usage, stop: ending.stop });
            }
        }
        next = arrivals.next(pieces.next()).await;
    }
    Err(cut_off())
}

/// A stream that ended before the model did.
pub(crate) fn cut_off() -> ModelError {
    ModelError::new(ModelErrorKind::Broken, "The answer was cut off: the connection ended before the answer did.")
}

/// A call that took longer than it may.
pub(crate) fn timed_out(request: &ModelRequest) -> ModelError {
    ModelError::new(
        ModelErrorKind::Timeout,
        format!(
            "{} gave no whole answer within {} s. Try again, or allow more time.",
            request.model,
            request.timeout.as_secs_f64()
        ),
    )
}
