//! One module a page.

pub mod agents_overview;
pub mod not_found;
