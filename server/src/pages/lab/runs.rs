//! Forms and files of runs, and the stream of a run's progress.

use std::{convert::Infallible, time::Duration};

use app::{Pace, progress_event};
use axum::{
    extract::{Path, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream;
use http::HeaderMap;
use lab::{LabError, Place, ResultFormat, RunStatus, Side, WinnerRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use versioning::Author;

use super::{
    Refusal, answer, file, id,
    sent::{Sent, field},
};
use crate::{api::problem::ApiError, state::AppState};

/// How often a run is looked at for those who watch it.
const LOOK: Duration = Duration::from_millis(300);

pub(super) async fn results_csv(state: State<AppState>, run: Path<String>) -> Response {
    export_results(state, run, ResultFormat::Csv).await
}

pub(super) async fn results_jsonl(state: State<AppState>, run: Path<String>) -> Response {
    export_results(state, run, ResultFormat::JsonLines).await
}

async fn export_results(State(state): State<AppState>, Path(run): Path<String>, format: ResultFormat) -> Response {
    match state.lab.export_results(id(&run), format).await {
        Ok(text) => file(&format!("run-{}.{}", id(&run), format.extension()), format.media_type(), text),
        Err(error) => ApiError::from(error).into_response(),
    }
}

pub(super) async fn cancel_run(State(state): State<AppState>, Path(run): Path<String>, headers: HeaderMap) -> Response {
    let here = format!("/lab/runs/{}", id(&run));
    let done = match state.lab.cancel(id(&run)).await {
        // It ended by itself meanwhile, which the page shows.
        Ok(_) | Err(LabError::RunIsOver) => Ok(here.clone()),
        Err(error) => Err(error.into()),
    };
    answer(&state, &here, Vec::new(), headers, done).await
}

pub(super) async fn choose_winner(
    State(state): State<AppState>,
    Path(run): Path<String>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let here = format!("/lab/runs/{}", id(&run));
    let done = async {
        let winner = Side::from_name(field(&values, "winner"))
            .ok_or_else(|| Refusal::Fields(vec![("winner".into(), "Choose A or B.".into())]))?;
        let request = WinnerRequest {
            winner,
            reason: field(&values, "reason").replace("\r\n", "\n"),
            chosen_by: Author::parse(field(&values, "chosen_by")).map_err(|error| error.in_field("chosen_by"))?,
            go_live: field(&values, "go_live") == "true",
        };
        state.lab.choose(id(&run), request).await?;
        Ok(format!("{here}#winner-title"))
    };
    let done = done.await;
    answer(&state, &here, values, headers, done).await
}

/// The review of a run, as the reviewer of a form sees it.
fn review_page(run: &str, values: &[(String, String)]) -> String {
    let reviewer = utf8_percent_encode(field(values, "reviewer"), NON_ALPHANUMERIC);
    format!("/lab/runs/{}/review?reviewer={reviewer}", id(run))
}

pub(super) async fn vote(
    State(state): State<AppState>,
    Path(run): Path<String>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let here = review_page(&run, &values);
    let done = async {
        let reviewer = Author::parse(field(&values, "reviewer"))
            .map_err(|error| error.in_field("reviewer"))?
            .ok_or_else(|| Refusal::Fields(vec![("reviewer".into(), "Say who reviews.".into())]))?;
        let place = match field(&values, "better") {
            "left" => Place::Left,
            "right" => Place::Right,
            "tie" => Place::Tie,
            _ => return Err(Refusal::Fields(vec![("better".into(), "Say which is better, or neither.".into())])),
        };
        let number = |name: &str| field(&values, name).parse().unwrap_or(0);
        state.lab.vote(id(&run), &reviewer, (number("case_number"), number("repeat")), place).await?;
        Ok(here.clone())
    };
    let done = done.await;
    answer(&state, &here, values, headers, done).await
}

pub(super) async fn end_review(
    State(state): State<AppState>,
    Path(run): Path<String>,
    headers: HeaderMap,
    Sent(values): Sent,
) -> Response {
    let here = review_page(&run, &values);
    let done = match state.lab.end_review(id(&run)).await {
        // Somebody else ended it meanwhile, which the page shows.
        Ok(_) | Err(LabError::ReviewHasEnded) => Ok(here.clone()),
        Err(error) => Err(error.into()),
    };
    answer(&state, &here, values, headers, done).await
}

/// How far a run is, each time that it changes, until it is over.
pub(super) async fn progress(State(state): State<AppState>, Path(run): Path<String>) -> Response {
    let id = id(&run);
    if let Err(error) = state.lab.run(id).await {
        return ApiError::from(error).into_response();
    }
    let start = (state, Pace::default(), None, false);
    let events = stream::unfold(start, move |(state, mut pace, told, is_over)| async move {
        if is_over {
            return None;
        }
        loop {
            if state.is_draining() {
                return None;
            }
            // What cannot be read now is read the next time.
            if let Ok(run) = state.lab.run(id).await {
                pace.note(chrono::Utc::now(), run.done);
                let mark = (run.done, run.status, run.spent_usd.to_bits());
                if told != Some(mark) {
                    let event = Event::default().data(progress_event(&run, &pace));
                    let is_over = run.status != RunStatus::Running;
                    return Some((Ok::<_, Infallible>(event), (state, pace, Some(mark), is_over)));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
