//! The small set of components that the pages share.

pub mod agent_rail;
pub mod error_notice;
pub mod event_list;
pub mod help_dialog;
pub mod keyboard;
pub mod relative_time;
pub mod theme_toggle;
pub mod version_chip;
