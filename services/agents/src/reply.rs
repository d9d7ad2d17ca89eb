//! An answer as it comes, and the record that it leaves.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use crate::{
    Answer, CallOutcome, CallRecord, CallSink, Ending, LanguageModel, MAX_ANSWER_BYTES, ModelError, ModelErrorKind,
    ModelName, ModelRequest, Piece, UsedPrompt,
    calls::CallSubject,
    completion::{cut_off, timed_out},
};

/// An answer under way. It is recorded when it ends; dropped before, the call is given up and recorded as cancelled.
pub struct Reply {
    prompt: UsedPrompt,
    request: ModelRequest,
    pieces: BoxStream<'static, Result<Piece, ModelError>>,
    started: Instant,
    time_to_first_token: Option<Duration>,
    bytes: usize,
    /// What is to be recorded; none once it was.
    open: Option<(CallSubject, Arc<dyn CallSink>)>,
    /// Its place among the calls under way.
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("version", &self.prompt.version).field("model", &self.request.model).finish()
    }
}

impl Reply {
    pub(crate) fn begin(
        prompt: UsedPrompt,
        request: ModelRequest,
        model: &dyn LanguageModel,
        subject: CallSubject,
        calls: Arc<dyn CallSink>,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let pieces = model.stream(&request);
        Self {
            prompt,
            request,
            pieces,
            started: Instant::now(),
            time_to_first_token: None,
            bytes: 0,
            open: Some((subject, calls)),
            _turn: turn,
        }
    }

    /// The prompt that was used.
    pub fn prompt(&self) -> &UsedPrompt {
        &self.prompt
    }

    /// Who answers.
    pub fn model(&self) -> &ModelName {
        &self.request.model
    }

    /// When the call is given up, whether or not anybody reads.
    pub fn deadline(&self) -> Instant {
        self.started + self.request.timeout
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long the first text took, once there is any.
    pub fn time_to_first_token(&self) -> Option<Duration> {
        self.time_to_first_token
    }

    /// More of the answer. [`Piece::End`] is the last of a whole one; after it, or after an error, nothing comes.
    pub async fn next(&mut self) -> Option<Result<Piece, ModelError>> {
        self.open.as_ref()?;
        let piece = match tokio::time::timeout_at(self.deadline(), self.pieces.next()).await {
            Ok(Some(piece)) => piece,
            Ok(None) => Err(cut_off()),
            Err(_) => Err(timed_out(&self.request)),
        };
        let piece = piece.and_then(|piece| self.checked(piece));
        match &piece {
            Ok(Piece::Text(text)) => {
                if !text.is_empty() {
                    self.time_to_first_token.get_or_insert_with(|| self.started.elapsed());
                }
            }
            Ok(Piece::End(ending)) => self.record(CallOutcome::Answered, Some(ending)),
            Err(error) => self.record(CallOutcome::Failed(error.kind), None),
        }
        Some(piece)
    }

    /// Waits for the whole answer, and what it cost.
    ///
    /// # Errors
    /// There is no whole answer.
    pub async fn whole(mut self) -> Result<(Answer, Option<f64>), ModelError> {
        let mut text = String::new();
        while let Some(piece) = self.next_priced().await {
            match piece? {
                (Piece::Text(more), _) => text.push_str(&more),
                (Piece::End(ending), cost) => {
                    let (latency, time_to_first_token) = (self.elapsed(), self.time_to_first_token);
                    let answer = Answer { text, latency, time_to_first_token, usage: ending.usage, stop: ending.stop };
                    return Ok((answer, cost));
                }
            }
        }
        Err(cut_off())
    }

    /// More of the answer, and with its end what it cost.
    pub async fn next_priced(&mut self) -> Option<Result<(Piece, Option<f64>), ModelError>> {
        let subject = self.open.as_ref().map(|(subject, _)| subject.clone());
        let piece = self.next().await?;
        Some(piece.map(|piece| {
            let cost = match (&piece, &subject) {
                (Piece::End(ending), Some(subject)) => cost(subject, ending),
                _ => None,
            };
            (piece, cost)
        }))
    }

    fn checked(&mut self, piece: Piece) -> Result<Piece, ModelError> {
        if let Piece::Text(text) = &piece {
            self.bytes += text.len();
            if self.bytes > MAX_ANSWER_BYTES {
                return Err(ModelError::new(
                    ModelErrorKind::TooLong,
                    "The answer is longer than 4 MiB and was cut off. Ask for fewer tokens.",
                ));
            }
        }
        Ok(piece)
    }

    fn record(&mut self, outcome: CallOutcome, ending: Option<&Ending>) {
        let Some((subject, calls)) = self.open.take() else { return };
        // A text that is no version has no figures.
        let Some(version) = subject.version else { return };
        let usage = ending.map(|ending| ending.usage).unwrap_or_default();
        calls.record(CallRecord {
            cost_usd: ending.and_then(|ending| cost(&subject, ending)),
            agent_type: subject.agent_type,
            version,
            model: subject.model.to_string(),
            outcome,
            latency: self.started.elapsed(),
            time_to_first_token: self.time_to_first_token,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            at: chrono::Utc::now(),
        });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.record(CallOutcome::Cancelled, None);
    }
}

fn cost(subject: &CallSubject, ending: &Ending) -> Option<f64> {
    let (input, output) = (ending.usage.input_tokens?, ending.usage.output_tokens?);
    Some(subject.price?.cost(input.into(), output.into()))
}
