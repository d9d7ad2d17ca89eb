//! What the pages' forms send. They work without scripts: a success leads to a page, a refusal renders the same page again with
//! everything that was written still in it.

use app::{
    api::{EditForm, RefusedPromotion, submit},
    shell,
};
use axum::{
    Form, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Request, State},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use leptos::prelude::{provide_context, use_context};
use leptos_axum::ResponseOptions;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use versioning::{AgentType, Author, Notes, Promotion, Reissue, Version, VersioningError};

use super::provide_page_context;
use crate::state::AppState;

/// A form sends a prompt of 1 MiB in up to three times as many bytes.
const MAX_FORM: usize = 4 * 1024 * 1024;

/// The cookie that remembers a name from one form to the next.
const AUTHOR_COOKIE: &str = "author";

/// The forms' addresses.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/new", post(create))
        .route("/agents/{agent_type}/edit", post(edit))
        .route("/agents/{agent_type}/promote", post(promote))
        .route("/agents/{agent_type}/reissue", post(reissue))
        .layer(DefaultBodyLimit::max(MAX_FORM))
}

async fn create(State(state): State<AppState>, uri: Uri, request: Request) -> Response {
    save(state, uri, None, request).await
}

async fn edit(State(state): State<AppState>, uri: Uri, Path(agent): Path<String>, request: Request) -> Response {
    save(state, uri, Some(agent), request).await
}

/// Saves what the editor sends, or shows what it asks for.
async fn save(state: AppState, uri: Uri, agent: Option<String>, request: Request) -> Response {
    use axum::extract::FromRequest;

    let headers = request.headers().clone();
    let extensions = request.extensions().clone();
    let mut form = match Form::<EditForm>::from_request(request, &()).await {
        Ok(Form(form)) => form,
        Err(rejection) => {
            return (rejection.status(), "The form could not be read. Go back: the browser still has what you wrote.")
                .into_response();
        }
    };
    let is_new = agent.is_none();
    if let Some(agent) = agent {
        form.agent_type = agent;
    }
    let author = form.author.clone();
    match submit(&state.services, form).await {
        Ok(saved) => {
            let draft = if is_new { String::new() } else { saved.agent_type.to_string() };
            let address = format!("/agents/{}/versions/{}?saved={draft}", saved.agent_type, saved.version);
            remembering(&author, Redirect::to(&address).into_response())
        }
        Err(outcome) => {
            let mut request = again(uri, headers);
            *request.extensions_mut() = extensions;
            render(&state, outcome.status(), *outcome, request).await
        }
    }
}

/// A page with what became of a form in its context.
async fn render(
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
    expected_active: String,
    author: String,
    notes: String,
    /// The page to return to.
    back: String,
}

async fn promote(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PromoteForm>,
) -> Response {
    let done = async {
        let promotion = Promotion {
            agent_type: agent.parse()?,
            version: form.version.parse()?,
            expected_active: optional(&form.expected_active).map(str::parse).transpose()?,
            promoted_by: Author::parse(&form.author)?,
        };
        state.services.management.promote_to_active(promotion).await
    };
    let done = done.await.map(|promoted| promoted.version);
    answer(&state, &agent, form, headers, done).await
}

async fn reissue(
    State(state): State<AppState>,
    Path(agent): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PromoteForm>,
) -> Response {
    let done = async {
        let agent_type: AgentType = agent.parse()?;
        let seen: Option<Version> = optional(&form.expected_active).map(str::parse).transpose()?;
        let active = state.services.management.active(&agent_type).await?.map(|active| active.version.version);
        if let Some(base) = seen
            && active != seen
        {
            return Err(VersioningError::StaleBase { agent_type, base, active });
        }
        let reissue = Reissue {
            agent_type,
            version: form.version.parse()?,
            created_by: Author::parse(&form.author)?,
            notes: Notes::parse(form.notes.clone())?,
        };
        state.services.management.reissue(reissue).await
    };
    let done = done.await.map(|reissued| reissued.version);
    answer(&state, &agent, form, headers, done).await
}

/// Back to the page that asked, with what was done; or with the question again, and why it was refused.
async fn answer(
    state: &AppState,
    agent: &str,
    form: PromoteForm,
    headers: HeaderMap,
    done: Result<Version, VersioningError>,
) -> Response {
    let back = if is_local(&form.back) { form.back.clone() } else { format!("/agents/{agent}") };
    let and = if back.contains('?') { '&' } else { '?' };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let asked = encoded(&format!("{agent}@{}", form.version));
    let address = match done {
        // In the history of all agents the number alone says little.
        Ok(version) if back.starts_with("/history") => {
            format!("{back}{and}done={}", encoded(&format!("{agent}@{version}")))
        }
        Ok(version) => format!("{back}{and}done={version}"),
        Err(VersioningError::Invalid(invalid)) if ["created_by", "notes"].contains(&invalid.field) => {
            let refused = RefusedPromotion {
                author: form.author,
                notes: form.notes,
                field: invalid.field.into(),
                message: invalid.message,
            };
            return match format!("{back}{and}promote={asked}").parse() {
                Ok(uri) => render(state, 422, refused, again(uri, headers)).await,
                Err(_) => (StatusCode::UNPROCESSABLE_ENTITY, refused.message).into_response(),
            };
        }
        Err(error) => {
            if let Some(cause) = std::error::Error::source(&error) {
                tracing::error!(agent, version = form.version, cause, "a promotion failed");
            }
            let notes = if form.notes.is_empty() { String::new() } else { format!("&notes={}", encoded(&form.notes)) };
            format!("{back}{and}promote={asked}&refused={}{notes}", error.code())
        }
    };
    remembering(&form.author, Redirect::to(&address).into_response())
}

/// The request of a page in the place of the form that was sent.
fn again(uri: Uri, headers: HeaderMap) -> http::Request<Body> {
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
fn remembering(author: &str, mut response: Response) -> Response {
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
