//! Keeping a library out of the log.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, stream::BoxStream};
use tracing::{Dispatch, dispatcher};

/// A stream whose own log lines are dropped.
///
/// The library writes whole answers of providers to the log when they are errors, and those may quote a key. What is to
/// be known about a failure is in the [`ModelError`](crate::ModelError); an error is logged once, where it leaves the process.
pub(super) struct Quiet<T>(pub(super) BoxStream<'static, T>);

impl<T> Stream for Quiet<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        dispatcher::with_default(&Dispatch::none(), || self.0.as_mut().poll_next(cx))
    }
}
