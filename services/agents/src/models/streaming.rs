//! An answer, piece by piece.

use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use genai::{
    Client, ServiceTarget,
    chat::{ChatOptions, ChatRequest, ChatStreamEvent, ReasoningEffort, StreamEnd},
};

use super::{failures::Failures, quiet::Quiet};
use crate::{
    Ending, ModelError, ModelRequest, Piece, Provider, StopReason, Usage,
    completion::{cut_off, timed_out},
};

/// Asks when it is first polled.
pub(super) fn ask(
    client: Client,
    target: ServiceTarget,
    failures: Failures,
    request: ModelRequest,
) -> BoxStream<'static, Result<Piece, ModelError>> {
    let options = options(&request);
    let mut chat = ChatRequest::from_user(request.user.clone());
    if !request.system.is_empty() {
        chat = chat.with_system(request.system.clone());
    }
    let opened = async move { client.exec_chat_stream(target, chat, Some(&options)).await.map(|answer| answer.stream) };
    let events = Quiet(stream::once(opened).try_flatten().boxed());
    // The state is what is still to come; it is gone once the last item was given.
    stream::unfold(Some((events, failures, request)), |state| async {
        let (mut events, failures, request) = state?;
        loop {
            return match events.next().await {
                Some(Ok(ChatStreamEvent::Chunk(chunk))) => {
                    Some((Ok(Piece::Text(chunk.content)), Some((events, failures, request))))
                }
                Some(Ok(ChatStreamEvent::End(end))) => Some((ending(request.model.provider(), &end), None)),
                // The beginning, reasoning, signs of life.
                Some(Ok(_)) => continue,
                Some(Err(error)) => Some((Err(failures.read(&error, || timed_out(&request))), None)),
                None => Some((Err(cut_off()), None)),
            };
        }
    })
    .boxed()
}

fn options(request: &ModelRequest) -> ChatOptions {
    let settings = &request.settings;
    let speaks_openai = matches!(request.model.provider(), Provider::OpenAi | Provider::Compatible);
    ChatOptions {
        temperature: settings.temperature,
        top_p: settings.top_p,
        max_tokens: settings.max_tokens,
        seed: settings.seed,
        capture_usage: Some(true),
        stream_header_timeout: Some(request.timeout),
        stream_read_timeout: Some(request.timeout),
        // Without an effort, the library takes the end of a name for one: it would ask for `qwen3` instead of `qwen3-max`.
        // A budget is an effort that this API has no words for, so nothing is sent.
        reasoning_effort: speaks_openai.then_some(ReasoningEffort::Budget(0)),
        ..ChatOptions::default()
    }
}

/// The end of an answer, if it is one: some adapters make up an end when the connection is cut.
fn ending(provider: Provider, end: &StreamEnd) -> Result<Piece, ModelError> {
    let is_whole = match provider {
        // These two end with a message of their own; nothing is made up.
        Provider::OpenAi | Provider::Anthropic | Provider::Compatible => true,
        // The last piece has the reason.
        Provider::Gemini => end.captured_stop_reason.is_some(),
        // The last line has the counts.
        Provider::Ollama => end.captured_usage.is_some(),
    };
    if !is_whole {
        return Err(cut_off());
    }
    let usage = end.captured_usage.as_ref().map_or_else(Usage::default, |usage| {
        let tokens = |count: Option<i32>| count.and_then(|count| u32::try_from(count).ok());
        Usage { input_tokens: tokens(usage.prompt_tokens), output_tokens: tokens(usage.completion_tokens) }
    });
    use genai::chat::StopReason as Given;
    let stop = match end.captured_stop_reason {
        Some(Given::Completed(_) | Given::StopSequence(_)) => StopReason::Finished,
        Some(Given::MaxTokens(_)) => StopReason::Length,
        Some(Given::ContentFilter(_)) => StopReason::Filtered,
        Some(Given::ToolCall(_) | Given::Other(_)) | None => StopReason::Other,
    };
    Ok(Piece::End(Ending { usage, stop }))
}
