//! The pages: rendered here, made interactive in the browser by what cargo-leptos built.

mod forms;
mod lab;
mod live;
mod texts;

use std::sync::LazyLock;

use app::{App, AppError, shell};
use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list};
use tower::ServiceExt;
use tower_http::{compression::CompressionLayer, services::ServeDir};

use crate::{observe, state::AppState};

/// The addresses of the pages, once for a process: while they are listed, leptos (leptos_server 0.8.8) loads nothing
/// for any page of the process, and a page that began meanwhile, of another router, would wait for ever.
static ROUTES: LazyLock<Vec<AxumRouteListing>> = LazyLock::new(|| generate_route_list(App));

/// Every page, every server function, and the files beside them.
pub fn router(state: &AppState) -> Router {
    let pkg = leptos_axum::site_pkg_dir_service(&state.leptos_options);
    let pkg_path = leptos_axum::site_pkg_dir_service_route_path(&state.leptos_options);
    // A file's name changes with its content.
    let immutable = middleware::from_fn(async |request: Request, next: Next| {
        let mut response = next.run(request).await;
        if response.status().is_success() {
            let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
            response.headers_mut().insert(header::CACHE_CONTROL, forever);
        }
        response
    });
    let files = Router::new().route_service(&pkg_path, pkg).layer(immutable);
    let shell_state = state.clone();
    let pages = Router::new()
        .leptos_routes_with_context(
            state,
            ROUTES.clone(),
            {
                let state = state.clone();
                move || provide_page_context(&state)
            },
            move || shell(shell_state.leptos_options.clone()),
        )
        .merge(forms::router())
        .merge(lab::router())
        .merge(texts::router())
        .merge(live::router())
        .fallback(get(fallback))
        .layer(DefaultBodyLimit::max(forms::MAX_FORM))
        .layer(middleware::from_fn(take_whole))
        .layer(CompressionLayer::new());
    Router::new().merge(files).merge(vendor(state)).merge(pages).layer(observe::page(state)).with_state(state.clone())
}

/// A server function whose arguments are more than is taken says so, once the browser has sent all of them.
async fn take_whole(request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.uri().path().starts_with("/api/pages/") {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let (bytes, read) = forms::to_end(body, forms::MAX_FORM, forms::MAX_IGNORED).await;
    match read {
        Ok(()) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(status) => {
            let (code, message) = match status {
                StatusCode::PAYLOAD_TOO_LARGE => (
                    "too_much",
                    "This is more than the server takes at once. Shorten the text, or the values of its variables.",
                ),
                _ => ("cut_off", "Not everything arrived at the server. Try again."),
            };
            tracing::info!(code, "refused");
            let refused = AppError { code: code.into(), message: message.into(), request_id: None };
            (status, Json(refused)).into_response()
        }
    }
}

/// The editor's bundle. One file of it has a fixed name and is asked for again each time; the others carry a hash.
fn vendor(state: &AppState) -> Router<AppState> {
    let folder = std::path::Path::new(&*state.leptos_options.site_root).join("vendor");
    let files = ServeDir::new(folder).precompressed_br().precompressed_gzip();
    let kept = middleware::from_fn(async |request: Request, next: Next| {
        let has_fixed_name = request.uri().path().ends_with("/editor.js");
        let mut response = next.run(request).await;
        if response.status().is_success() {
            let how = if has_fixed_name { "no-cache" } else { "public, max-age=31536000, immutable" };
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
        }
        response
    });
    Router::new().nest_service("/vendor", files).layer(kept)
}

/// What pages and server functions find in their context, and the headers that every page has.
fn provide_page_context(state: &AppState) {
    provide_context(state.services.clone());
    provide_context(state.lab.clone());
    provide_context::<app::api::AgentContext>((state.agents.clone(), state.default_model.clone()));
    if let Some(id) = observe::current_id() {
        provide_context(app::RequestId(id));
    }
    let parts = use_context::<http::request::Parts>();
    let author = parts.as_ref().and_then(|parts| forms::remembered_author(&parts.headers)).unwrap_or_default();
    provide_context(app::api::RememberedAuthor(author));
    // Monaco writes styles of its own, on its page alone.
    let is_editor = parts.is_some_and(|parts| parts.uri.path().ends_with("/edit") || parts.uri.path() == "/new");
    if let Some(options) = use_context::<ResponseOptions>() {
        for (name, value) in page_headers(is_editor) {
            options.insert_header(name, value);
        }
    }
}

/// Only our own scripts run, nothing frames a page, and no page is guessed to be of another type.
fn page_headers(is_editor: bool) -> [(HeaderName, HeaderValue); 4] {
    let scripts = use_nonce().map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    // In development the page listens for a rebuild on another port.
    let reload = if std::env::var_os("LEPTOS_WATCH").is_some() { " ws://127.0.0.1:*" } else { "" };
    let styles = if is_editor { " style-src 'self' 'unsafe-inline'; font-src 'self' data:;" } else { "" };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts};{styles} connect-src 'self'{reload}; \
         img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'self'"));
    [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// A file of the site, such as the icon; else the page that says what is not there. With a slash at its end, an address
/// is the one without it.
async fn fallback(State(state): State<AppState>, uri: Uri, request: Request) -> Response {
    // Two slashes at the beginning would name another host.
    if let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty() && !path.starts_with("//")) {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::permanent(&format!("{path}{query}")).into_response();
    }
    let mut wanted = Request::new(Body::empty());
    wanted.method_mut().clone_from(request.method());
    wanted.uri_mut().clone_from(&uri);
    wanted.headers_mut().clone_from(request.headers());
    if let Some(file) = file(&state, wanted).await {
        return file;
    }
    let context = state.clone();
    let handler = leptos_axum::file_and_error_handler_with_context::<LeptosOptions, _>(
        move || provide_page_context(&context),
        shell,
    );
    handler(uri, State(state.leptos_options.clone()), request).await.into_response()
}

/// The file of the site that is asked for, if there is one. Not left to the handler of leptos_axum (0.8.10): that one
/// answers a file inside of whatever page the thread is at, with the status and the headers of that page.
async fn file(state: &AppState, wanted: Request) -> Option<Response> {
    let files = ServeDir::new(&*state.leptos_options.site_root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip();
    let mut response = files.oneshot(wanted).await.ok()?.map(Body::new);
    if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR) {
        return None;
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}
