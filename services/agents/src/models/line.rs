//! The HTTP clients.

use std::{sync::Once, time::Duration};

use super::address::Address;
use crate::{ModelError, ModelErrorKind, reading::is_apart};

/// A client, as such and as the library uses it. Both share their connections.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) http: reqwest::Client,
    pub(super) genai: genai::Client,
}

/// Chooses what encrypts connections, once for a process: HTTP clients of this build have none of their own.
pub fn install_tls() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // It fails when the program has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The clients of a process.
pub(super) struct Lines {
    /// For the threads that serve.
    serving: Ends,
    /// For the threads on which whole answers are read.
    reading: Ends,
}

/// Where clients lead to.
struct Ends {
    /// To this machine: no proxy of the environment leads there.
    near: Result<Line, ModelError>,
    /// To everywhere else.
    far: Result<Line, ModelError>,
}

impl Lines {
    pub(super) fn open() -> Self {
        install_tls();
        let ends = || Ends { near: open(true), far: open(false) };
        Self { serving: ends(), reading: ends() }
    }

    /// The client for an address, to be used where this is called.
    pub(super) fn to(&self, address: &Address) -> Result<&Line, ModelError> {
        let ends = if is_apart() { &self.reading } else { &self.serving };
        let line = if address.is_loopback() { &ends.near } else { &ends.far };
        line.as_ref().map_err(Clone::clone)
    }
}

fn open(is_near: bool) -> Result<Line, ModelError> {
    let builder = || {
        let builder = reqwest::Client::builder()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(10))
            // A run has up to 200 calls under way; each keeps its connection for the next one.
            .pool_max_idle_per_host(200)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(10))
            .http2_adaptive_window(true)
            // A key would travel along: only some of the providers send theirs in a header that is known to be one.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if is_near { builder.no_proxy() } else { builder }
    };
    let http = builder().build().or_else(|_| {
        // A system without certificates: what is asked without encryption still works, the rest says what is missing.
        builder().tls_certs_only([]).build()
    });
    let failed =
        |_| ModelError::new(ModelErrorKind::Unreachable, "The HTTP client could not be started on this machine.");
    let http = http.map_err(failed)?;
    let genai = genai::Client::builder().with_reqwest(http.clone()).build();
    let failed =
        |_| ModelError::new(ModelErrorKind::Unreachable, "The HTTP client could not be started on this machine.");
    Ok(Line { genai: genai.map_err(failed)?, http })
}
