//! Any two versions: what differs, how much, and how each performs.

mod choose;
mod figures;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

use crate::{
    AppError,
    api::{Compared, Comparison, ComparisonQuery, Overview, Side, open_comparison},
    components::{
        address::turned, agent_header::AgentHeader, error_notice::ErrorNotice, promote_dialog::PromoteDialog,
    },
    words::{counted, thousands},
};
use choose::{choose, side_card};
use figures::{Figures, PerformanceTable};

/// Two versions, side by side.
#[component]
pub fn PromptComparison(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let agent = Memo::new(move |_| params.read().get("agent_type").unwrap_or_default());
    let asked = Memo::new(move |_| {
        let query = query.read();
        let text = |name: &str| query.get(name).unwrap_or_default();
        // What is typed goes before what the list says.
        let side =
            |name: &str, typed: &str| Some(text(typed)).filter(|typed| !typed.trim().is_empty()).unwrap_or(text(name));
        ComparisonQuery {
            agent: agent.get(),
            base: side("base", "other_base"),
            head: side("head", "other_head"),
            view: text("view"),
            ws: text("ws"),
            open: text("open"),
        }
    });
    let rest = Memo::new(move |_| {
        let query = query.get().into_iter();
        query.map(|(name, value)| (name.into_owned(), value)).collect::<Vec<_>>()
    });
    let page = Resource::new_blocking(move || (asked.get(), rest.get()), |(asked, rest)| open_comparison(asked, rest));
    view! {
        {move || {
            view! {
                <Title text=format!("{} compared", agent.get()) />
                <h1 class="visually-hidden">{format!("Versions of {} compared", agent.get())}</h1>
                <AgentHeader agents agent_type=agent.get() current="Compare" />
            }
        }}
        <Transition fallback=|| view! { <p class="waiting">"Comparing…"</p> }>
            {move || {
                let query = query.get();
                let agent = agent.get();
                Suspend::new(async move {
                    match page.await {
                        Ok(Compared::Whole(page)) => view! { <Both page=*page agent query /> }.into_any(),
                        // The answer leads there by itself.
                        Ok(Compared::At(address)) => {
                            view! { <p><a href=address>"The comparison with both versions in its address"</a></p> }.into_any()
                        }
                        Err(error) => {
                            let place = format!("/agents/{agent}/compare");
                            let asked = asked.get_untracked();
                            let chooser = choose(&place, &query, &asked.base, &asked.head, &[]);
                            view! {
                                {chooser}
                                <ErrorNotice error />
                            }
                                .into_any()
                        }
                    }
                })
            }}
        </Transition>
        <PromoteDialog agent_type=agent />
    }
    .into_any()
}

/// A version as the address names it.
fn named(side: &Side, agent: &str) -> String {
    if side.agent_type == agent { side.version.clone() } else { format!("{}@{}", side.agent_type, side.version) }
}

#[component]
fn Both(page: Comparison, agent: String, query: ParamsMap) -> impl IntoView {
    let Comparison {
        base,
        head,
        lines,
        added,
        removed,
        moved,
        is_same,
        ends_differ,
        is_simplified,
        hidden,
        variables_added,
        variables_removed,
        sections,
        versions,
        now,
    } = page;
    let place = format!("/agents/{agent}/compare");
    let (base_name, head_name) = (named(&base, &agent), named(&head, &agent));
    let chooser = choose(&place, &query, &base_name, &head_name, &versions);
    let is_empty = lines.0.is_empty() && is_same;
    let ends = if ends_differ { " · line ends differ" } else { "" };
    let summary = if is_same {
        "The two texts are the same, to the letter.".to_owned()
    } else if added + removed == 0 {
        if ends_differ {
            "Only white space differs · line ends differ".to_owned()
        } else {
            "Only white space differs.".to_owned()
        }
    } else {
        let moved = match moved {
            0 => String::new(),
            moved => format!(" · {} only moved", counted(moved, "line", "lines")),
        };
        format!("{} added · {} removed{moved}{ends}", counted(added, "line", "lines"), thousands(removed))
    };
    let patch = format!("{place}.patch?base={base_name}&head={head_name}");
    let simplified = is_simplified.then(|| {
        view! {
            <p class="notice" role="status">
                "These texts differ so much that the search for the smallest difference was cut short. What is marked is \
                right, but more is marked than would have to be."
            </p>
        }
    });
    let cut = (hidden > 0).then(|| {
        let patch = patch.clone();
        view! {
            <p class="notice" role="status">
                {format!("{} more changed lines are not shown. ", thousands(hidden))}
                <a href=patch rel="external" download="">"The patch"</a>
                " has all of them."
            </p>
        }
    });
    let now = now.seconds;
    let of = format!("{} {}", base.agent_type, head.agent_type);
    let places = [(&base, "Base"), (&head, "Head")]
        .map(|(side, label)| side_card(side, label, &place, &query, &agent, now))
        .into_iter()
        .collect_view();
    view! {
        {chooser}
        // By the names of the two: an answer about two others never takes their place.
        <div class="sides" data-live=format!("sides-{base_name}-{head_name}") data-of=of>{places}</div>
        <Figures base=base.clone() head=head.clone() variables_added variables_removed sections />
        <section class="difference" aria-labelledby="difference-title">
            <div class="list-head sticky">
                <h2 id="difference-title">"Difference"</h2>
                <p class="faint" role="status">{summary}</p>
                <Views query=query.clone() place=place.clone() />
                {(!is_same)
                    .then(|| {
                        view! {
                            <a class="button quiet" href=patch rel="external" download="">"Patch"</a>
                        }
                    })}
            </div>
            {simplified}
            <div class="diff-place" class:nothing=is_empty inner_html=lines.0></div>
            {cut}
        </section>
        <PerformanceTable base head agent />
    }
    .into_any()
}

/// How the difference is drawn.
#[component]
fn Views(query: ParamsMap, place: String) -> impl IntoView {
    let is_unified = query.get("view").is_some_and(|view| view == "unified");
    let ignores = query.get("ws").is_some_and(|ws| ws == "ignore");
    let is_open = query.get("open").is_some_and(|open| open == "all");
    let link = |label: &'static str, name: &'static str, value: &'static str, is_current: bool| {
        let address = format!("{place}{}", turned(&query, name, value));
        view! { <a class="button quiet" href=address aria-current=is_current.then_some("true")>{label}</a> }
    };
    view! {
        <span class="group">
            {link("Two columns", "view", "", !is_unified)}
            {link("Unified", "view", "unified", is_unified)}
        </span>
        {if ignores {
            link("Show white space changes", "ws", "", false)
        } else {
            link("Ignore white space", "ws", "ignore", false)
        }}
        {if is_open {
            link("Fold unchanged lines", "open", "", false)
        } else {
            link("Unfold all", "open", "all", false)
        }}
        <span class="faint small keys needs-script"><kbd>"n"</kbd> " " <kbd>"p"</kbd> " next and previous change"</span>
    }
    .into_any()
}
