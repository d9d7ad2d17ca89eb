//! What the lab's forms have in common: what was written stays, and what is wrong is said at its field.

use leptos::prelude::*;
use uuid::Uuid;

use crate::AppError;

/// A form that was sent and refused, or asked for a look: in the context of the page that is rendered for it.
#[derive(Debug, Clone, Default)]
pub struct LabForm {
    /// Every field as it was written.
    pub values: Vec<(String, String)>,
    /// What is wrong: field and message. A message at a field that the form does not have is shown on top.
    pub problems: Vec<(String, String)>,
    /// What a run would do, when that was asked for.
    pub dry: Option<lab::DryRun>,
}

impl LabForm {
    /// The form of the page's context; an empty one when nothing was sent.
    pub fn from_context() -> Self {
        use_context().unwrap_or_default()
    }

    /// Whether something was sent.
    pub fn is_sent(&self) -> bool {
        !self.values.is_empty()
    }

    /// A field as it was written; the default when nothing was sent.
    pub fn value(&self, name: &str, default: impl Into<String>) -> String {
        let written = self.values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        written.unwrap_or_else(|| if self.is_sent() { String::new() } else { default.into() })
    }

    /// Every value of a field that can be chosen several times.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.values.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    }

    /// What is wrong with a field.
    pub fn problem(&self, name: &str) -> Option<String> {
        let said: Vec<&str> =
            self.problems.iter().filter(|(field, _)| field == name).map(|(_, message)| message.as_str()).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// What is wrong with none of these fields.
    pub fn others(&self, fields: &[&str]) -> Vec<String> {
        let is_other = |field: &str| !fields.contains(&field);
        self.problems.iter().filter(|(field, _)| is_other(field)).map(|(_, message)| message.clone()).collect()
    }

    /// What is wrong and belongs to no field, on top of the form.
    pub fn notice(&self, fields: &[&str]) -> AnyView {
        self.others(fields)
            .into_iter()
            .map(|message| view! { <p class="notice danger" role="alert">{message}</p> }.into_any())
            .collect_view()
            .into_any()
    }

    /// A field of one line.
    pub fn line(&self, name: &'static str, label: &'static str, default: &str, hint: &'static str) -> AnyView {
        let value = self.value(name, default);
        self.framed(name, label, hint, |wrong| {
            view! {
                <input id=id_in_page(name) name=name value=value aria-invalid=wrong aria-describedby=about(name) />
            }
            .into_any()
        })
    }

    /// A field of several lines.
    pub fn lines(
        &self,
        name: &'static str,
        label: &'static str,
        default: &str,
        rows: u32,
        hint: &'static str,
    ) -> AnyView {
        let value = self.value(name, default);
        self.framed(name, label, hint, |wrong| {
            view! {
                // A line break at the very beginning is not taken for part of the text.
                <textarea
                    id=id_in_page(name)
                    name=name
                    rows=rows
                    spellcheck="false"
                    aria-invalid=wrong
                    aria-describedby=about(name)
                >
                    {format!("\n{value}")}
                </textarea>
            }
            .into_any()
        })
    }

    /// A file to be chosen in place of the text of a field: `accept` tells which, as HTML has it. Where a form is shown again,
    /// it has to be chosen again.
    pub fn file(&self, name: &'static str, label: &'static str, accept: &'static str, hint: &'static str) -> AnyView {
        self.framed(name, label, hint, |wrong| {
            view! {
                <input
                    id=id_in_page(name)
                    type="file"
                    name=name
                    accept=accept
                    aria-invalid=wrong
                    aria-describedby=about(name)
                />
            }
            .into_any()
        })
    }

    /// One of several: each with its value and its name.
    pub fn choice(
        &self,
        name: &'static str,
        label: &'static str,
        options: Vec<(String, String)>,
        default: &str,
        hint: &'static str,
    ) -> AnyView {
        let value = self.value(name, default);
        let options = options
            .into_iter()
            .map(|(key, text)| {
                let is_chosen = key == value;
                view! { <option value=key selected=is_chosen>{text}</option> }
            })
            .collect_view();
        self.framed(name, label, hint, |wrong| {
            view! {
                <select id=id_in_page(name) name=name aria-invalid=wrong aria-describedby=about(name)>
                    {options}
                </select>
            }
            .into_any()
        })
    }

    /// A control between its label and what is said below it. The control is told what its `aria-invalid` says.
    fn framed(
        &self,
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        control: impl FnOnce(Option<&'static str>) -> AnyView,
    ) -> AnyView {
        let problem = self.problem(name);
        let is_wrong = problem.is_some();
        view! {
            <div class="field" class:wrong=is_wrong>
                <label for=id_in_page(name)>{label}</label>
                {control(is_wrong.then_some("true"))}
                {below(name, hint, problem)}
            </div>
        }
        .into_any()
    }

    /// Yes or no.
    pub fn check(&self, name: &'static str, value: &'static str, label: impl Into<String>, default: bool) -> AnyView {
        let is_checked = if self.is_sent() { self.all(name).iter().any(|written| written == value) } else { default };
        view! {
            <label class="check">
                <input type="checkbox" name=name value=value checked=is_checked />
                <span>{label.into()}</span>
            </label>
        }
        .into_any()
    }
}

/// The id of a field, for its label.
fn id_in_page(name: &str) -> String {
    format!("field-{name}")
}

/// The id of what is said below a field.
fn about(name: &str) -> String {
    format!("about-{name}")
}

/// What is said below a field: the hint, or what is wrong.
fn below(name: &str, hint: &'static str, problem: Option<String>) -> AnyView {
    let id = about(name);
    match problem {
        Some(problem) => view! { <span class="problem small" role="alert" id=id>{problem}</span> }.into_any(),
        None => view! { <span class="faint small" id=id>{hint}</span> }.into_any(),
    }
}

/// The lab of this server.
///
/// # Errors
/// The page is rendered outside a request.
pub(super) fn lab() -> Result<lab::Lab, AppError> {
    crate::api::lab()
}

/// The id in an address of a `kind` of things. What is none names nothing.
///
/// # Errors
/// It is no id.
pub(super) fn id_of(kind: &str, text: &str) -> Result<Uuid, AppError> {
    let missing = |_| {
        AppError::missing(
            &format!("unknown_{kind}"),
            format!("There is no {kind} {text}. The lab lists those there are."),
        )
    };
    text.parse().map_err(missing)
}
