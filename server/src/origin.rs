//! Who may ask: a page of another site must neither read this server nor change anything through a visitor's browser.
//!
//! There are no accounts, so whoever can send a request can do everything. A server on a loopback address is safe from
//! other machines, but not from the pages that its user visits: a name of theirs may lead to 127.0.0.1 (DNS rebinding),
//! and their forms may be sent here (cross-site request forgery).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tower::Service;

use crate::{
    api::problem::ApiError,
    observe::{REQUEST_ID, RequestId},
};

/// The names that the server goes by, beside `localhost` and any address.
#[derive(Debug, Clone)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// These names, in any case.
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect())
    }

    /// Whether a `Host` header names this server. An address cannot be made to lead elsewhere; a name can.
    fn has(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        }
        .trim_end_matches('.');
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() || {
            let name = name.to_ascii_lowercase();
            name.ends_with(".localhost") || self.0.contains(&name)
        }
    }

    /// What browsers say of where a request comes from. Programs say nothing, and are let through.
    fn is_cross_site(&self, headers: &HeaderMap) -> bool {
        match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
            (Some(site), _) => site == "cross-site" || site == "same-site",
            // Fetch Metadata is only sent over TLS and to this machine. To others browsers name the page's origin.
            (None, Some(origin)) => !self.is_own(origin, headers.get(header::HOST)),
            (None, None) => false,
        }
    }

    /// Whether an origin is what the request was sent to, or has one of our names: a proxy may have changed the former.
    fn is_own(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let Some((_, origin)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
        let name = origin.rsplit_once(':').map_or(origin, |(name, _)| name).to_ascii_lowercase();
        host.is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(origin.as_bytes())) || self.0.contains(&name)
    }
}

/// A server that refuses a request for another name, and a change that another site's page makes a browser send.
#[derive(Debug, Clone)]
pub struct OwnSite<S> {
    hosts: Hosts,
    inner: S,
}

impl<S> OwnSite<S> {
    /// What is asked for by these names only.
    pub fn new(hosts: Hosts, inner: S) -> Self {
        Self { hosts, inner }
    }
}

impl<B, S> Service<Request<B>> for OwnSite<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match check(&self.hosts, &request) {
            Some(error) => Either::Left(ready(Ok(refused(&request, error)))),
            None => Either::Right(self.inner.call(request)),
        }
    }
}

/// Why a request is refused, if it is.
fn check<B>(hosts: &Hosts, request: &Request<B>) -> Option<ApiError> {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    // HTTP/2 and some proxies name the host in the request line instead.
    let host = host.or_else(|| request.uri().host());
    if host.is_some_and(|host| !hosts.has(host)) {
        let said = "This server does not go by that name. Whoever runs it can add the name to VERBATIM_HOSTS.";
        return Some(ApiError::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", said));
    }
    if !request.method().is_safe() && hosts.is_cross_site(request.headers()) {
        let said = "A page of another site sent this; nothing was changed. Open Verbatim itself and do it there. If \
                    that is what you did, whoever runs it can add its name to VERBATIM_HOSTS.";
        return Some(ApiError::new(StatusCode::FORBIDDEN, "other_site", said));
    }
    None
}

/// These refusals never reach what logs and writes the others.
fn refused<B>(request: &Request<B>, error: ApiError) -> Response {
    let id = RequestId::of(request);
    let (path, status, code) = (request.uri().path(), error.status(), error.code());
    tracing::info!(id = id.as_str(), method = %request.method(), path, status = status.as_u16(), code, "refused");
    let mut answer = if path.starts_with("/api/v1/") {
        error.into_document(id.as_str())
    } else {
        (status, error.detail().to_owned()).into_response()
    };
    answer.headers_mut().insert(REQUEST_ID, id.header());
    answer
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn only_our_own_names_are_answered() {
        let hosts = Hosts::new(&["Prompts.example ".into()]);
        for host in [
            "localhost",
            "localhost:3000",
            "LOCALHOST.",
            "a.localhost:1",
            "127.0.0.1:3000",
            "[::1]:3000",
            "10.1.2.3",
            "prompts.example:443",
        ] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            assert!(!hosts.has(host), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_known_without_fetch_metadata() {
        let hosts = Hosts::new(&["prompts.example".into()]);
        let is_cross_site = |given: &[(&'static str, &'static str)]| {
            let given =
                given.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            hosts.is_cross_site(&given.collect())
        };
        let host = ("host", "10.1.2.3:3000");
        for origin in ["http://10.1.2.3:3000", "https://prompts.example", "https://Prompts.Example:8443"] {
            assert!(!is_cross_site(&[host, ("origin", origin)]), "{origin}");
        }
        for origin in ["http://10.1.2.3", "http://10.1.2.4:3000", "https://evil.example", "null", "prompts.example"] {
            assert!(is_cross_site(&[host, ("origin", origin)]), "{origin}");
        }
        assert!(!is_cross_site(&[host]), "a program");
        assert!(!is_cross_site(&[host, ("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(is_cross_site(&[host, ("origin", "http://10.1.2.3:3000"), ("sec-fetch-site", "same-site")]));
    }
}
