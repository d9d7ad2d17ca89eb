//! The A/B lab.
//!
//! Its pages are rendered where the lab is: nothing of them but one island is in the WebAssembly, so they take the lab's own
//! types, and no server function stands between.

#[cfg(feature = "ssr")]
mod case;
#[cfg(feature = "ssr")]
mod form;
#[cfg(feature = "ssr")]
mod home;
#[cfg(feature = "ssr")]
mod new_run;
#[cfg(feature = "ssr")]
mod pace;
mod progress;
#[cfg(feature = "ssr")]
mod results;
#[cfg(feature = "ssr")]
mod review;
#[cfg(feature = "ssr")]
mod run;
#[cfg(feature = "ssr")]
mod set;
#[cfg(feature = "ssr")]
mod verdict;

#[cfg(feature = "ssr")]
pub use {
    case::CasePage,
    form::LabForm,
    home::ABTestingLab,
    new_run::NewRunPage,
    pace::Pace,
    review::ReviewPage,
    run::{RunPage, progress_event},
    set::{SetPage, page_of_case, set_address},
};

/// The same names for the browser's build, which never renders them.
#[cfg(not(feature = "ssr"))]
mod elsewhere {
    use leptos::prelude::*;

    use crate::{AppError, api::Overview};

    /// Rendered on the server alone.
    #[component]
    pub fn ABTestingLab(agents: Resource<Result<Overview, AppError>>) -> impl IntoView {
        let _ = agents;
    }
    /// Rendered on the server alone.
    #[component]
    pub fn SetPage() -> impl IntoView {}
    /// Rendered on the server alone.
    #[component]
    pub fn CasePage() -> impl IntoView {}
    /// Rendered on the server alone.
    #[component]
    pub fn NewRunPage() -> impl IntoView {}
    /// Rendered on the server alone.
    #[component]
    pub fn RunPage() -> impl IntoView {}
    /// Rendered on the server alone.
    #[component]
    pub fn ReviewPage() -> impl IntoView {}
}
#[cfg(not(feature = "ssr"))]
pub use elsewhere::{ABTestingLab, CasePage, NewRunPage, ReviewPage, RunPage, SetPage};
