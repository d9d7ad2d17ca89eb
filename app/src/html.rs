//! HTML and texts that the page has already, and that must not be sent to the browser a second time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// HTML written by the server, from escaped or sanitised text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHtml(pub String);

/// A text that an island renders on the server and finds in the page when it wakes in the browser: an island's arguments are
/// embedded in the page, and a prompt of 1 MiB need not be there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InPage(pub String);

impl Serialize for InPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for InPage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self::default())
    }
}

/// What a page reads on the server and never sends: a resource asks for something that could be.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Local<T>(pub T);

#[cfg(feature = "ssr")]
impl<T> Serialize for Local<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

#[cfg(feature = "ssr")]
impl<'de, T> Deserialize<'de> for Local<T> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it stays on the server"))
    }
}
