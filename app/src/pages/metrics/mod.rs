//! How prompts are used: a page that is rendered where the figures are, and has no behaviour.

#[cfg(feature = "ssr")]
mod figures;
#[cfg(feature = "ssr")]
mod page;
#[cfg(feature = "ssr")]
mod tables;

#[cfg(feature = "ssr")]
pub use page::PromptMetricsPage;

/// The same name for the browser's build, which never renders it.
#[cfg(not(feature = "ssr"))]
mod elsewhere {
    use leptos::prelude::*;

    use crate::{AppError, api::Overview};

    /// Rendered on the server alone.
    #[component]
    pub fn PromptMetricsPage(agents: Resource<Result<Overview, AppError>>) -> impl IntoView {
        let _ = agents;
    }
}
#[cfg(not(feature = "ssr"))]
pub use elsewhere::PromptMetricsPage;
