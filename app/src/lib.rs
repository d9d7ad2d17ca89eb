//! Every page and component of Verbatim, and their server functions.
//!
//! The same code renders on the server (`ssr`) and takes over in the browser (`hydrate`). Rules live in the services:
//! a server function takes them from the context, calls one, and maps the answer to a wire type of [`api`].

// Views are deeply nested types.
#![recursion_limit = "256"]

pub mod api;
mod app;
mod components;
mod draft;
mod error;
mod html;
mod pages;
#[cfg(feature = "ssr")]
mod render;
#[cfg(feature = "ssr")]
mod shell;
mod words;

pub use app::App;
#[cfg(feature = "ssr")]
pub use app::frame_parts;
pub use error::{AppError, RequestId};
#[cfg(feature = "ssr")]
pub use pages::lab::{LabForm, Pace, page_of_case, progress_event, set_address};
#[cfg(feature = "ssr")]
pub use shell::shell;
