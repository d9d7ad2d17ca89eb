//! What a request is called in the log, in answers and by whoever asks for help.

use std::{
    fmt,
    io::Write,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderName, HeaderValue, Request};

/// The header that carries a request's id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most bytes that an id of somebody else's may have.
const LONGEST: usize = 64;

/// The id of a request: plain ASCII. It stands where it is instead of on the heap, because each request has one and
/// copies it several times.
#[derive(Clone, Copy)]
pub struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// The id that a proxy gave, if it is a plain one, else one of our own.
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let given = request.headers().get(&REQUEST_ID).and_then(|id| Self::plain(id.as_bytes()));
        given.unwrap_or_else(Self::next)
    }

    /// An id out of letters, digits, `-`, `_` and `.`, 64 at most.
    pub(crate) fn plain(id: &[u8]) -> Option<Self> {
        let is_plain = !id.is_empty() && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..id.len()).filter(|_| is_plain)?.copy_from_slice(id);
        Some(Self { bytes, length: id.len() })
    }

    /// Unique among all nodes without asking a random source each time: a random start, then a count.
    fn next() -> Self {
        static NODE: LazyLock<u32> = LazyLock::new(|| uuid::Uuid::new_v4().as_fields().0);
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let mut bytes = [0; LONGEST];
        let mut rest = &mut bytes[..];
        // 25 characters at most.
        let _ = write!(rest, "{:08x}-{:x}", *NODE, COUNT.fetch_add(1, Ordering::Relaxed));
        let length = LONGEST - rest.len();
        Self { bytes, length }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|id| str::from_utf8(id).ok()).unwrap_or("unknown")
    }

    /// The id as it is sent.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.bytes.get(..self.length).unwrap_or_default())
            .unwrap_or(HeaderValue::from_static("unknown"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &str) -> RequestId {
        RequestId::of(&Request::builder().header(REQUEST_ID, given).body(()).unwrap())
    }

    #[test]
    fn a_plain_id_is_kept_and_another_replaced() {
        let longest = "x".repeat(64);
        for kept in ["a", "0f-1.B_c", &longest] {
            let id = of(kept);
            assert_eq!(id.as_str(), kept);
            assert_eq!(id.header(), kept);
        }
        for replaced in ["", "two words", "a\"b", "a/b", &"x".repeat(65)] {
            assert_ne!(of(replaced).as_str(), replaced);
        }
    }

    #[test]
    fn our_own_ids_differ_and_are_plain() {
        let [one, other] = [RequestId::next(), RequestId::next()];
        assert_ne!(one.as_str(), other.as_str());
        for id in [one, other] {
            assert_eq!(RequestId::plain(id.as_str().as_bytes()).unwrap().as_str(), id.as_str());
            assert!((10..=25).contains(&id.as_str().len()), "{id:?}");
        }
    }
}
