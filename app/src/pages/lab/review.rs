//! Blind review: which answer is better, without knowing whose it is.

use lab::{BlindPair, Report};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use versioning::Author;

use super::form::{LabForm, id_of, lab};
use crate::{AppError, api::remembered_author, components::error_notice::ErrorNotice, html::Local};

/// Where a reviewer is.
#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// The name is not known yet.
    Name,
    /// A pair is to be judged.
    Pair(Box<BlindPair>),
    /// All were seen, and the review has not ended: so many pairs there are.
    Through(u64),
    /// The review has ended.
    Over(Box<Report>),
}

async fn read(id: String, reviewer: String) -> Result<Place, AppError> {
    let lab = lab()?;
    let id = id_of("run", &id)?;
    if lab.run(id).await?.review_ended_at.is_some() {
        return Ok(Place::Over(Box::new(lab.report(id).await?)));
    }
    let Some(reviewer) = Author::parse(&reviewer)? else { return Ok(Place::Name) };
    Ok(match lab.next_pair(id, &reviewer).await? {
        Some(pair) => Place::Pair(Box::new(pair)),
        None => Place::Through(lab.report(id).await?.review.0),
    })
}

/// One pair of answers at a time.
#[component]
pub fn ReviewPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let page = Resource::new_blocking(
        move || (params.read().get("run").unwrap_or_default(), query.read().get("reviewer").unwrap_or_default()),
        |(id, reviewer)| async { read(id, reviewer).await.map(Local) },
    );
    let id = move || params.read_untracked().get("run").unwrap_or_default();
    let reviewer = move || query.read_untracked().get("reviewer").unwrap_or_default();
    view! {
        <Title text="Blind review" />
        <div class="page-head"><h1>"Blind review"</h1></div>
        <Transition>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(Local(place)) => whole(&id(), &reviewer(), place),
                    Err(error) => view! { <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn whole(id: &str, reviewer: &str, place: Place) -> AnyView {
    let form = LabForm::from_context();
    match place {
        Place::Name => view! {
            <p>
                "Two answers at a time. You say which is better; whose they are, you learn when the review has ended. "
                "Where both answered the same, there is nothing to choose, and nothing is asked."
            </p>
            <form class="filters" method="get" action=format!("/lab/runs/{id}/review")>
                {form.line("reviewer", "Your name", &remembered_author(), "Votes are counted by name.")}
                <button type="submit" class="primary">"Begin"</button>
            </form>
        }
        .into_any(),
        Place::Pair(pair) => view! {
            {form.notice(&[])}
            <p class="faint">{format!("Pair {} of {}", pair.voted + 1, pair.pairs)}</p>
            <progress class="seen" value=pair.voted.to_string() max=pair.pairs.to_string() aria-label="Pairs seen"></progress>
            <h2>{pair.test_case.name}</h2>
            <pre class="message">{pair.test_case.input}</pre>
            <form method="post" action=format!("/lab/runs/{id}/review")>
                <input type="hidden" name="reviewer" value=reviewer.to_owned() />
                <input type="hidden" name="case_number" value=pair.case_number.to_string() />
                <input type="hidden" name="repeat" value=pair.repeat.to_string() />
                <div class="answers">
                    <div class="answer">
                        <h3>"Left"</h3>
                        <pre class="message" tabindex="0" role="region" aria-label="Left answer">{pair.left}</pre>
                    </div>
                    <div class="answer">
                        <h3>"Right"</h3>
                        <pre class="message" tabindex="0" role="region" aria-label="Right answer">{pair.right}</pre>
                    </div>
                </div>
                <p class="buttons votes">
                    <button type="submit" name="better" value="left" data-key="1">"Left is better " <kbd>"1"</kbd></button>
                    <button type="submit" name="better" value="tie" data-key="0">"Neither " <kbd>"0"</kbd></button>
                    <button type="submit" name="better" value="right" data-key="2">"Right is better " <kbd>"2"</kbd></button>
                </p>
            </form>
        }
        .into_any(),
        Place::Through(0) => view! {
            <p>"Both versions answered every case alike, or not at all: there is nothing to choose between."</p>
            <p><a class="button" href=format!("/lab/runs/{id}")>"To the run"</a></p>
        }
        .into_any(),
        Place::Through(_) => view! {
            {form.notice(&[])}
            <p>"You have seen every pair of answers that differ. Thank you."</p>
            <p>
                "Nobody sees yet what was voted, so that nobody is asked to vote until it suits. Others may still review; "
                "when the review is ended, votes are counted, and nobody votes any more."
            </p>
            <form method="post" action=format!("/lab/runs/{id}/review/end")>
                <input type="hidden" name="reviewer" value=reviewer.to_owned() />
                <p class="buttons">
                    <button type="submit" class="primary">"End the review for everybody"</button>
                    <a class="button" href=format!("/lab/runs/{id}")>"To the run"</a>
                </p>
            </form>
        }
        .into_any(),
        Place::Over(report) => {
            let (a, b, ties) = report.votes.unwrap_or_default();
            view! {
                {form.notice(&[])}
                <p>"The review has ended. Votes stay as they are."</p>
                <p>
                    {format!(
                        "Votes: {a} for A ({}), {b} for B ({}), {ties} for neither.",
                        report.run.version_a,
                        report.run.version_b,
                    )}
                </p>
                <p><a class="button" href=format!("/lab/runs/{id}")>"To the run"</a></p>
            }
            .into_any()
        }
    }
}
