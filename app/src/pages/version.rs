//! One version, whole: its text, what is known of it, and what can be done with it.

use leptos::{prelude::*, task::spawn_local};
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use crate::{
    AppError,
    api::{LiveSpan, Overview, VersionPage, version_page},
    components::{
        agent_header::AgentHeader, error_notice::ErrorNotice, event_list::EventList, promote_dialog::PromoteDialog,
        relative_time::RelativeTime, version_chip::VersionChip,
    },
    words::{counted, duration},
};

/// The text of a version and everything about it.
#[component]
pub fn PromptVersionPage(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let params = use_params_map();
    let param = move |name: &'static str| Memo::new(move |_| params.read().get(name).unwrap_or_default());
    let (agent, version) = (param("agent_type"), param("version"));
    let page =
        Resource::new_blocking(move || (agent.get(), version.get()), |(agent, version)| version_page(agent, version));
    view! {
        {move || {
            view! {
                <Title text=format!("{} {}", agent.get(), version.get()) />
                <h1 class="visually-hidden">{format!("{} {}", agent.get(), version.get())}</h1>
                <AgentHeader agents agent_type=agent.get() current="Version" />
            }
        }}
        <Transition fallback=|| view! { <p class="waiting">"Reading the version…"</p> }>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) => view! { <Whole page /> }.into_any(),
                    Err(error) => view! { <ErrorNotice error /> }.into_any(),
                }
            })}
        </Transition>
        <PromoteDialog agent_type=agent />
    }
    .into_any()
}

#[component]
fn Whole(page: VersionPage) -> impl IntoView {
    let VersionPage {
        agent_type,
        version,
        status,
        created_at,
        created_by,
        notes,
        sha256,
        text,
        counts,
        variables,
        span,
        events,
        below,
        above,
        active,
        now,
    } = page;
    let now = now.seconds;
    let of = agent_type.clone();
    let base = format!("/agents/{agent_type}");
    let here = format!("{base}/versions/{version}");
    let raw = format!("{here}/raw");
    let step = |other: Option<String>, arrow: &'static str, label: &'static str| {
        other.map(|other| {
            view! {
                <a class="button quiet" href=format!("{base}/versions/{other}") aria-label=format!("{label}: {other}")>
                    {format!("{arrow} {other}")}
                </a>
            }
        })
    };
    let compare = match active.as_ref().filter(|active| **active != version).or(below.as_ref()) {
        Some(other) => {
            let address = format!("{base}/compare?base={other}&head={version}");
            view! { <a class="button" href=address>{format!("Compare with {other}")}</a> }.into_any()
        }
        None => ().into_any(),
    };
    let promote = match status.as_str() {
        "active" => ().into_any(),
        "draft" => {
            view! { <a class="button primary" id=format!("do-{version}") href=format!("{here}?promote={version}")>{format!("Promote {version}")}</a> }
                .into_any()
        }
        _ => view! { <a class="button" id=format!("do-{version}") href=format!("{here}?promote={version}")>"Fix forward with this text"</a> }.into_any(),
    };
    let facts = view! {
        <dl class="facts">
            <dt>"Created"</dt>
            <dd><RelativeTime moment=created_at now /> {created_by.map(|name| format!(" by {name}"))}</dd>
            <dt>"Live"</dt>
            <dd>{was_live(span, now)}</dd>
            <dt>"Size"</dt>
            <dd>
                {format!(
                    "{} · {} · {} · about {}",
                    counted(counts.chars, "character", "characters"),
                    counted(counts.words, "word", "words"),
                    counted(counts.lines, "line", "lines"),
                    counted(counts.tokens, "token", "tokens"),
                )}
            </dd>
            <dt>"Variables"</dt>
            <dd>
                {if variables.is_empty() {
                    view! { <span class="faint">"none"</span> }.into_any()
                } else {
                    variables
                        .into_iter()
                        .map(|name| view! { <code class="variable">{name}</code> " " })
                        .collect_view()
                        .into_any()
                }}
            </dd>
            <dt>"SHA-256"</dt>
            <dd><code class="hash">{sha256}</code></dd>
        </dl>
    }
    .into_any();
    view! {
        <div class="version-head" data-live="version" data-of=of>
            <p class="title">
                <VersionChip version=version.clone() status=status.clone() />
                <span class="faint">{status.clone()}</span>
                {step(below, "←", "The version below")}
                {step(above, "→", "The version above")}
            </p>
            <p class="buttons">
                <a class="button" href=format!("{base}/edit?from={version}") rel="external">"Edit from this"</a>
                {compare}
                {promote}
            </p>
        </div>
        <div class="beside">
            <section aria-labelledby="prompt-title">
                <div class="list-head">
                    <h2 id="prompt-title">"Prompt"</h2>
                    <CopyButton raw=raw.clone() />
                    <a class="button quiet" href=raw rel="external">"Raw"</a>
                </div>
                <pre class="prompt" tabindex="0" aria-labelledby="prompt-title" inner_html=text.0></pre>
            </section>
            <aside aria-label="About this version" data-live="about" data-of=agent_type>
                {notes.map(|notes| view! { <blockquote class="notes">{notes}</blockquote> })}
                {facts}
                <h2>"What happened to it"</h2>
                <EventList events now />
            </aside>
        </div>
    }
    .into_any()
}

/// When a version was live, in words.
fn was_live(span: Option<LiveSpan>, now: i64) -> AnyView {
    match span {
        None => view! { <span class="faint">"never yet"</span> }.into_any(),
        Some(span) => {
            let by = span.by.map(|name| format!(", promoted by {name}"));
            let until = span.until.as_ref().map_or(now, |until| until.seconds);
            let length = duration(until - span.from.seconds).unwrap_or_else(|| "under a minute".into());
            let for_how_long = if span.until.is_some() { format!(", for {length}") } else { " and still".into() };
            view! { "since " <RelativeTime moment=span.from now /> {for_how_long} {by} }.into_any()
        }
    }
}

/// Puts the text on the clipboard, to the letter: as the server keeps it, not as the page shows it.
#[island]
fn CopyButton(raw: String) -> impl IntoView {
    let said = RwSignal::new("Copy");
    let copy = move |_| {
        let raw = raw.clone();
        spawn_local(async move {
            said.set(if copy(&raw).await.is_some() { "Copied" } else { "Not copied: use Raw" });
        });
    };
    view! {
        <button type="button" class="needs-script" on:click=copy>
            <span aria-live="polite">{move || said.get()}</span>
        </button>
    }
}

async fn copy(address: &str) -> Option<()> {
    use web_sys::{
        js_sys::JsString,
        wasm_bindgen::{JsCast, JsValue},
    };

    async fn settled<T: JsCast>(promise: web_sys::js_sys::Promise) -> Option<T> {
        let value: JsValue = wasm_bindgen_futures::JsFuture::from(promise).await.ok()?;
        value.dyn_into().ok()
    }
    let response: web_sys::Response = settled(window().fetch_with_str(address)).await?;
    let text: JsString = settled(response.ok().then(|| response.text().ok())??).await?;
    let written = window().navigator().clipboard().write_text(&String::from(text));
    wasm_bindgen_futures::JsFuture::from(written).await.ok().map(|_| ())
}
