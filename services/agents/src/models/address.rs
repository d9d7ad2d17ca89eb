//! Where a provider is asked.

use std::net::IpAddr;

use reqwest::Url;

/// The address of a provider's API. Its path ends with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    url: Url,
}

impl Address {
    /// Reads an address with its scheme.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "an address such as http://127.0.0.1:8000/v1 is needed.";
        let mut url = Url::parse(text.trim()).map_err(|_| FORM.to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(FORM.into());
        }
        // Without it, what is joined would replace the last part of the path.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        url.set_fragment(None);
        Ok(Self { url })
    }

    /// Reads what `OLLAMA_HOST` holds, as Ollama's own client reads it: the scheme, the host and the port may each be
    /// missing, and an address that a server listens on everywhere means this machine.
    pub(super) fn of_ollama(text: Option<&str>) -> Result<Self, String> {
        let text = text.unwrap_or("127.0.0.1");
        let host = text.strip_prefix(':').map(|port| format!("127.0.0.1:{port}"));
        let host = host.as_deref().unwrap_or(text);
        let with_scheme = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        let problem = |_| "OLLAMA_HOST is not usable: an address such as http://127.0.0.1:11434 is needed.".to_owned();
        let mut address = Self::parse(&with_scheme).map_err(problem)?;
        if !text.contains("://") && address.url.port().is_none() {
            // It cannot fail: http addresses have ports.
            let _ = address.url.set_port(Some(11434));
        }
        if address.ip().is_some_and(|ip| ip.is_unspecified()) {
            let _ = address.url.set_host(Some("127.0.0.1"));
        }
        Ok(address)
    }

    /// The address as the library takes it.
    pub(super) fn base(&self) -> String {
        self.url.to_string()
    }

    /// What lies below it. A query, as some gateways need one, is kept.
    pub(super) fn join(&self, path: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path()));
        url.to_string()
    }

    /// The host and the port, fit to be shown: without credentials, path and query.
    pub(super) fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The password in it, which must not be shown.
    pub(super) fn password(&self) -> Option<&str> {
        self.url.password()
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        host == "localhost" || host.ends_with(".localhost") || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    fn ip(&self) -> Option<IpAddr> {
        self.url.host_str()?.trim_matches(['[', ']']).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let address = Address::parse("http://me:pass@gpu.example:8000/v1?api-version=2").unwrap();
        assert_eq!(address.base(), "http://me:pass@gpu.example:8000/v1/?api-version=2");
        assert_eq!(address.join("models"), "http://me:pass@gpu.example:8000/v1/models?api-version=2");
        assert_eq!((address.shown().as_str(), address.password()), ("gpu.example:8000", Some("pass")));
        assert_eq!(Address::parse("https://h").unwrap().join("models"), "https://h/models");
        for text in ["", "gpu:8000", "127.0.0.1:8000/v1", "ftp://h/", "file:///etc/passwd", "http://"] {
            assert!(Address::parse(text).unwrap_err().contains("http://127.0.0.1:8000/v1"), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        let is_loopback = |text| Address::parse(text).unwrap().is_loopback();
        for text in
            ["http://localhost:1", "http://127.0.0.1", "http://127.8.8.8/", "http://[::1]:9/", "http://a.localhost"]
        {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["http://10.0.0.1/", "https://localhost.example/", "http://[::2]/"] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn ollama_is_found_as_its_own_client_finds_it() {
        let base = |text| Address::of_ollama(text).map(|address| address.base());
        assert_eq!(base(None).unwrap(), "http://127.0.0.1:11434/");
        assert_eq!(base(Some("gpu")).unwrap(), "http://gpu:11434/");
        assert_eq!(base(Some(":9999")).unwrap(), "http://127.0.0.1:9999/");
        assert_eq!(base(Some("0.0.0.0")).unwrap(), "http://127.0.0.1:11434/");
        assert_eq!(base(Some("[::]:5")).unwrap(), "http://127.0.0.1:5/");
        assert_eq!(base(Some("https://ollama.example/sub")).unwrap(), "https://ollama.example/sub/");
        assert!(base(Some("a b")).unwrap_err().contains("OLLAMA_HOST"));
    }
}
