//! Light, dark, or as the system has it.

use leptos::prelude::*;

/// The themes in the order in which the button goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What this browser remembers.
    fn remembered() -> Self {
        match storage().and_then(|storage| storage.get_item("theme").ok().flatten()).as_deref() {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// Shows it and remembers it.
    fn apply(self) {
        if let Some(root) = document().document_element() {
            let _ = match self {
                Self::System => root.remove_attribute("data-theme"),
                Self::Light | Self::Dark => root.set_attribute("data-theme", self.name()),
            };
        }
        // A browser that forbids storage still shows the theme.
        if let Some(storage) = storage() {
            let _ = match self {
                Self::System => storage.remove_item("theme"),
                Self::Light | Self::Dark => storage.set_item("theme", self.name()),
            };
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// A button that goes through the themes. Without scripts the system's theme is shown, and the button is not.
#[island]
pub fn ThemeToggle() -> impl IntoView {
    let theme = RwSignal::new(Theme::System);
    // Only the browser knows; what the server rendered says "system".
    Effect::new(move || theme.set(Theme::remembered()));
    let toggle = move |_| {
        theme.update(|theme| *theme = theme.next());
        theme.get_untracked().apply();
    };
    view! {
        <button type="button" class="quiet needs-script" data-action="theme" on:click=toggle>
            <span class="visually-hidden-on-phone">"Theme: "</span>
            {move || theme.get().name()}
        </button>
    }
}
