//! One module a page.

pub mod agents_overview;
pub mod comparison;
pub mod editor;
pub mod history;
pub mod lab;
pub mod metrics;
pub mod not_found;
pub mod version;
