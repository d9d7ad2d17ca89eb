//! The small set of components that the pages share.

pub mod address;
pub mod agent_header;
pub mod agent_rail;
pub mod error_notice;
pub mod event_list;
pub mod keyboard;
pub mod keys;
pub mod live;
pub mod promote_dialog;
pub mod relative_time;
pub mod sending;
pub mod theme_toggle;
pub mod version_chip;
