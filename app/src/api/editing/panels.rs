//! What the editor shows of a text that is not saved: rendered, or against its base.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::line_ends::as_meant;
#[cfg(feature = "ssr")]
use crate::api::{optional, services};
use crate::{AppError, html::ServerHtml};

/// What the page shows beside the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Panel {
    /// The prompt, filled and rendered.
    Preview(PreviewPanel),
    /// The changes against the base.
    Changes(ChangesPanel),
}

/// The prompt, filled and rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewPanel {
    /// The rendered prompt, sanitised.
    pub html: ServerHtml,
    /// The variables of the text.
    pub variables: Vec<String>,
    /// Those without a value.
    pub missing: Vec<String>,
    /// Values that the text does not use.
    pub unused: Vec<String>,
}

/// The changes against the base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesPanel {
    /// The lines.
    pub lines: ServerHtml,
    /// Lines added.
    pub added: u32,
    /// Lines removed.
    pub removed: u32,
    /// Changed lines that are not shown.
    pub hidden: u32,
    /// Whether the search for the smallest difference was cut short.
    pub is_simplified: bool,
}

/// The longest filled prompt that is rendered, in bytes: a short text can name a long value many times.
#[cfg(feature = "ssr")]
const MAX_PREVIEW: usize = 4 * 1024 * 1024;

/// The text with its variables filled, rendered as Markdown.
///
/// # Errors
/// With its values the text is too long, or the server cannot be reached.
#[server(name = PreviewDraft, prefix = "/api/pages", endpoint = "preview", input = leptos::server_fn::codec::Json)]
pub async fn draft_preview(text: String, values: BTreeMap<String, String>) -> Result<PreviewPanel, AppError> {
    use versioning::template;

    // A value of nothing is no value: the form has a field for each variable.
    let values = values.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if template::filled_length(&text, &values) > MAX_PREVIEW {
        let message = "With these values the prompt is longer than 4 MiB, which is not previewed. Shorten a value.";
        return Err(AppError::refused("preview_too_long", message));
    }
    // A long text takes a while, in which no thread that serves may wait.
    let panel = versioning::aside(move || {
        let filled = template::fill(&text, &values);
        PreviewPanel {
            html: crate::render::markdown(&filled.text),
            variables: template::variables(&text).into_iter().map(str::to_owned).collect(),
            missing: filled.missing,
            unused: filled.unused,
        }
    });
    Ok(panel.await?)
}

/// What a text changes against a version of the agent.
///
/// # Errors
/// There is no such version, or the database is away.
#[server(name = CompareDraft, prefix = "/api/pages", endpoint = "changes", input = leptos::server_fn::codec::Json)]
pub async fn draft_changes(agent_type: String, base: String, text: String) -> Result<ChangesPanel, AppError> {
    changes_of(&services()?, &agent_type, &base, &text).await
}

#[cfg(feature = "ssr")]
pub(super) async fn changes_of(
    services: &versioning::Services,
    agent_type: &str,
    base: &str,
    text: &str,
) -> Result<ChangesPanel, AppError> {
    let before = match optional(base) {
        Some(base) => services.management.get_prompt_content(&agent_type.parse()?, base.parse()?).await?.prompt_text,
        None => String::new(),
    };
    let after = as_meant(text, &before);
    changes(before, after).await
}

#[cfg(feature = "ssr")]
pub(in crate::api) async fn changes(before: String, after: String) -> Result<ChangesPanel, AppError> {
    use versioning::diff::{Diff, DiffOptions};

    use crate::render::{DiffLinks, DiffView, diff_lines};

    let panel = versioning::aside(move || {
        let diff = Diff::new(&before, &after, DiffOptions::default());
        let drawn = diff_lines(&diff, DiffView::Unified, &DiffLinks::none());
        ChangesPanel {
            lines: drawn.html,
            added: diff.stats.added,
            removed: diff.stats.removed,
            hidden: drawn.hidden,
            is_simplified: diff.is_simplified || drawn.is_simplified,
        }
    });
    Ok(panel.await?)
}
