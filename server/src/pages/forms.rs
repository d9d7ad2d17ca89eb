//! What the pages' forms send. They work without scripts: a success leads to a page, a refusal renders the same page
//! again with everything that was written still in it.

use app::{
    api::{EditForm, EditOutcome, RefusedPromotion, submit},
    shell,
};
use axum::{
    Form, Router,
    body::{Body, Bytes},
    extract::{FromRequest, Path, Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::ResponseOptions;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use versioning::{AgentType, Author, InvalidInput, Notes, Promotion, Reissue, Version, VersioningError};

use super::provide_page_context;
use crate::{api::problem::ApiError, observe::Refused, state::AppState};

/// A form sends each byte of a prompt of 1 MiB in three, a line break in six, as JSON has a character that is escaped; the notes
/// come on top.
pub(super) const MAX_FORM: usize = 7 * 1024 * 1024;

/// How much more than that is read.
pub(super) const MAX_IGNORED: usize = 64 * 1024 * 1024;

/// The longest id of a draft: a browser's time and a random number.
const MAX_DRAFT_ID: usize = 64;

/// The cookie that remembers a name from one form to the next.
const AUTHOR_COOKIE: &str = "author";

/// The forms' addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/new", post(create))
        .route("/agents/{agent_type}/edit", post(edit))
        .route("/agents/{agent_type}/promote", post(promote).get(one_step_up))
        .route("/agents/{agent_type}/reissue", post(reissue).get(one_step_up))
}

/// What an address that only takes forms answers otherwise: the page that the form stands on, one step up. A refusal is
/// shown at the form's own address, and from there the page is read anew, kept as a bookmark, or passed on.
pub(super) async fn one_step_up(uri: Uri) -> Redirect {
    let path = uri.path().rsplit_once('/').map_or("", |(above, _)| above);
    // Two slashes at the beginning would name another host.
    Redirect::to(&format!("/{}", path.trim_start_matches('/')))
}

async fn create(State(state): State<AppState>, uri: Uri, request: Request) -> Response {
    save(state, uri, None, request).await
}

async fn edit(State(state): State<AppState>, uri: Uri, Path(agent): Path<String>, request: Request) -> Response {
    save(state, uri, Some(agent), request).await
}

/// Saves what the editor sends, or shows what it asks for.
async fn save(state: AppState, uri: Uri, agent: Option<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    let page = |status: u16, outcome: EditOutcome| {
        let request = again(uri, headers);
        let state = &state;
        async move { render(state, status, outcome, request).await }
    };
    let mut form = match read_form(request).await {
        Ok(form) => form,
        Err(status) => {
            let message = match status {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    "Nothing was saved: what was sent is much longer than a prompt can be, which is 1 MiB. Go back and \
                     shorten it: the browser still has what you wrote."
                }
                _ => "Nothing was saved: the form could not be read. Go back: the browser still has what you wrote.",
            };
            let refused = ApiError::new(status, "unread_form", message).about(&agent.unwrap_or_default(), None);
            return Refused::in_answer(
                refused,
                page(status.as_u16(), EditOutcome::unread(status.as_u16(), message)).await,
            );
        }
    };
    if let Some(agent) = agent {
        form.agent_type = agent;
    }
    let (author, draft, agent, base) =
        (form.author.clone(), form.draft.clone(), form.agent_type.clone(), form.base.clone());
    match submit(&state.services, form).await {
        Ok(saved) => {
            // The browser forgets this one draft, whoever follows the address.
            let saved_draft = if is_draft_id(&draft) { format!("?saved={draft}") } else { String::new() };
            let address = format!("/agents/{}/versions/{}{saved_draft}", saved.agent_type, saved.version);
            remembering(&author, Redirect::to(&address).into_response())
        }
        Err(outcome) => {
            let refused = outcome.refusal().map(|(code, detail)| {
                let status = StatusCode::from_u16(outcome.status()).unwrap_or_default();
                ApiError::new(status, code, detail).about(&agent, optional(&base))
            });
            let answer = page(outcome.status(), *outcome).await;
            match refused {
                Some(refused) => Refused::in_answer(refused, answer),
                None => answer,
            }
        }
    }
}

/// Reads a form to its end, even one that is too long.
async fn read_form(request: Request) -> Result<EditForm, StatusCode> {
    let (parts, body) = request.into_parts();
    let (bytes, read) = to_end(body, MAX_FORM, MAX_IGNORED).await;
    read?;
    let request = Request::from_parts(parts, Body::from(bytes));
    Form::<EditForm>::from_request(request, &()).await.map(|Form(form)| form).map_err(|rejection| rejection.status())
}

/// Reads what a browser sends to its end, even when it is too long: its beginning, up to `most` bytes, and why that is
/// not all. Beyond that so many bytes are read and thrown away: a browser shows an answer only once it has sent everything.
pub(super) async fn to_end(body: Body, most: usize, thrown_away: usize) -> (Bytes, Result<(), StatusCode>) {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut ignored) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return (taken.into(), Err(StatusCode::BAD_REQUEST)) };
        let room = if ignored == 0 { most - taken.len() } else { 0 };
        let (kept, rest) = chunk.split_at(room.min(chunk.len()));
        taken.extend_from_slice(kept);
        ignored += rest.len();
        if ignored > thrown_away {
            break;
        }
    }
    (taken.into(), if ignored == 0 { Ok(()) } else { Err(StatusCode::PAYLOAD_TOO_LARGE) })
}

/// Whether this is an id as the editor gives its drafts, and nothing else that an address could hold.
fn is_draft_id(id: &str) -> bool {
    (1..=MAX_DRAFT_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A page with what became of a form in its context.
pub(super) async fn render(
    state: &AppState,
    status: u16,
    outcome: impl Clone + Send + Sync + 'static,
    request: http::Request<Body>,
) -> Response {
    let (context, options) = (state.clone(), state.leptos_options.clone());
    let page = leptos_axum::render_app_async_with_context(
        move || {
            provide_page_context(&context);
            provide_context(outcome.clone());
            if let (Some(response), Ok(status)) = (use_context::<ResponseOptions>(), status.try_into()) {
                response.set_status(status);
            }
        },
        move || shell(options.clone()),
    );
    page(request).await
}

/// What the question before a promotion sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PromoteForm {
    version: String,
    /// What was live on the page that asked; empty when nothing was. A form without it expects nothing in particular.
    expected_active: Option<String>,
    author: String,
    notes: String,
    /// The page to return to.
    back: String,
}

impl PromoteForm {
    /// What is expected to be live; the outer one is none for a form that does not say.
    fn expected(&self) -> Result<Option<Option<Version>>, InvalidInput> {
        self.expected_active.as_deref().map(|expected| optional(expected).map(str::parse).transpose()).transpose()
    }
}

async fn promote(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PromoteForm>,
) -> Response {
    let Ok(agent_type) = agent.parse::<AgentType>() else { return no_agent(&state, &agent, headers).await };
    let done = async {
        let expected = form.expected()?;
        let promotion = Promotion {
            agent_type: agent_type.clone(),
            version: form.version.parse()?,
            expected_active: expected.flatten(),
            promoted_by: Author::parse(&form.author)?,
        };
        let management = &state.services.management;
        match expected {
            Some(None) => management.promote_first(promotion).await,
            _ => management.promote_to_active(promotion).await,
        }
    };
    let done = done.await.map(|promoted| promoted.version);
    answer(&state, &agent_type, form, headers, done).await
}

async fn reissue(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PromoteForm>,
) -> Response {
    let Ok(agent_type) = agent.parse::<AgentType>() else { return no_agent(&state, &agent, headers).await };
    let done = async {
        let expected = form.expected()?;
        let reissue = Reissue {
            agent_type: agent_type.clone(),
            version: form.version.parse()?,
            created_by: Author::parse(&form.author)?,
            notes: Notes::parse(form.notes.clone())?,
        };
        let management = &state.services.management;
        match expected {
            Some(expected) => management.reissue_expecting(reissue, expected).await,
            None => management.reissue(reissue).await,
        }
    };
    let done = done.await.map(|reissued| reissued.version);
    answer(&state, &agent_type, form, headers, done).await
}

/// The page of an agent whose name cannot be one: it says so.
async fn no_agent(state: &AppState, agent: &str, headers: HeaderMap) -> Response {
    match format!("/agents/{}", utf8_percent_encode(agent, NON_ALPHANUMERIC)).parse() {
        Ok(uri) => render(state, 400, (), again(uri, headers)).await,
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Back to the page that asked, with what was done; or with the question again, and why it was refused.
async fn answer(
    state: &AppState,
    agent: &AgentType,
    form: PromoteForm,
    headers: HeaderMap,
    done: Result<Version, VersioningError>,
) -> Response {
    let back = if is_local(&form.back) { form.back.clone() } else { format!("/agents/{agent}") };
    let and = if back.contains('?') { '&' } else { '?' };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let error = match done {
        Ok(version) => {
            // In the history of all agents the number alone says little.
            let what =
                if back.starts_with("/history") { encoded(&format!("{agent}@{version}")) } else { version.to_string() };
            return remembering(&form.author, Redirect::to(&format!("{back}{and}done={what}")).into_response());
        }
        Err(error) => error,
    };
    let question = format!("{back}{and}promote={}", encoded(&format!("{agent}@{}", form.version)));
    let code = error.code();
    let beside_field = match &error {
        VersioningError::Invalid(invalid) if ["created_by", "notes"].contains(&invalid.field) => {
            Some(RefusedPromotion {
                author: form.author.clone(),
                notes: form.notes.clone(),
                field: invalid.field.into(),
                message: invalid.message.clone(),
            })
        }
        _ => None,
    };
    let answer = match (beside_field, question.parse()) {
        (Some(refused), Ok(uri)) => render(state, 422, refused, again(uri, headers)).await,
        (Some(refused), Err(_)) => (StatusCode::UNPROCESSABLE_ENTITY, refused.message).into_response(),
        (None, _) => {
            let notes = if form.notes.is_empty() { String::new() } else { format!("&notes={}", encoded(&form.notes)) };
            let address = format!("{question}&refused={code}{notes}");
            remembering(&form.author, Redirect::to(&address).into_response())
        }
    };
    Refused::in_answer(ApiError::from(error).about(agent.as_str(), optional(&form.version)), answer)
}

/// The request of a page in the place of the form that was sent.
pub(super) fn again(uri: Uri, headers: HeaderMap) -> http::Request<Body> {
    let mut request = http::Request::builder().uri(uri).body(Body::empty()).unwrap_or_default();
    *request.headers_mut() = headers;
    request
}

/// An address of this site, and of no other.
fn is_local(address: &str) -> bool {
    address.starts_with('/')
        && !address.starts_with("//")
        && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn optional(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

/// The answer, with a cookie that remembers the author's name for a year.
pub(super) fn remembering(author: &str, mut response: Response) -> Response {
    if let Ok(Some(author)) = Author::parse(author) {
        let name = utf8_percent_encode(author.as_str(), NON_ALPHANUMERIC);
        let cookie = format!("{AUTHOR_COOKIE}={name}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// The name that the request's cookie remembers.
pub fn remembered_author(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == AUTHOR_COOKIE)
        .and_then(|(_, value)| percent_decode_str(value).decode_utf8().ok())
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_drafts_come_into_an_address() {
        assert!(is_draft_id("mgx1k2-0f3a9c"));
        for id in ["", "a&b", "a b", "a/b", "ä", "a\r\nb", &"x".repeat(65)] {
            assert!(!is_draft_id(id), "{id:?}");
        }
    }

    #[test]
    fn only_addresses_of_this_site_are_returned_to() {
        for address in ["/", "/agents/a?x=1&y=2#z"] {
            assert!(is_local(address), "{address}");
        }
        for address in
            ["", "agents", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nset-cookie: x", "/ä"]
        {
            assert!(!is_local(address), "{address}");
        }
    }
}
