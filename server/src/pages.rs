//! The pages: rendered here, made interactive in the browser by what cargo-leptos built.

use app::{App, shell};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue, Uri, header};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{provide_context, use_context},
};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::compression::CompressionLayer;

use crate::{
    observe::{self, RequestId},
    state::AppState,
};

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
            generate_route_list(App),
            {
                let state = state.clone();
                move || provide_page_context(&state)
            },
            move || shell(shell_state.leptos_options.clone()),
        )
        .fallback(get(fallback))
        .layer(CompressionLayer::new());
    Router::new()
        .merge(files)
        .merge(pages)
        .layer(middleware::from_fn_with_state(state.clone(), observe::page))
        .with_state(state.clone())
}

/// What pages and server functions find in their context, and the headers that every page has.
fn provide_page_context(state: &AppState) {
    provide_context(state.services.clone());
    if let Some(parts) = use_context::<http::request::Parts>()
        && let Some(id) = parts.extensions.get::<RequestId>()
    {
        provide_context(app::RequestId(id.as_str().to_owned()));
    }
    if let Some(options) = use_context::<ResponseOptions>() {
        for (name, value) in page_headers() {
            options.insert_header(name, value);
        }
    }
}

/// Only our own scripts run, nothing frames a page, and no page is guessed to be of another type.
fn page_headers() -> [(HeaderName, HeaderValue); 4] {
    let scripts = use_nonce().map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    // In development the page listens for a rebuild on another port.
    let reload = if std::env::var_os("LEPTOS_WATCH").is_some() { " ws://127.0.0.1:*" } else { "" };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{scripts}; connect-src 'self'{reload}; \
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

/// A file of the site, such as the icon; else the page that says what is not there.
async fn fallback(State(state): State<AppState>, uri: Uri, request: Request) -> Response {
    let context = state.clone();
    let handler = leptos_axum::file_and_error_handler_with_context::<LeptosOptions, _>(
        move || provide_page_context(&context),
        shell,
    );
    handler(uri, State(state.leptos_options.clone()), request).await.into_response()
}
