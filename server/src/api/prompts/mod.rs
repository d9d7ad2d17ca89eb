//! `/api/v1/prompts`: versions and the cache.

pub(super) mod cache;
pub(super) mod create;
pub(super) mod events;
pub(super) mod promote;
pub(super) mod read;
pub(super) mod wire;
