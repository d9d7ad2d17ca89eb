//! Any two versions: what differs, how much, and how each performs.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};
use versioning::outline::SectionChanges;

use crate::{
    AppError,
    api::{Compared, Comparison, ComparisonQuery, Overview, PerformanceRow, Side, open_comparison},
    components::{
        address::{turned, with},
        agent_header::AgentHeader,
        error_notice::ErrorNotice,
        promote_dialog::PromoteDialog,
        relative_time::RelativeTime,
        version_chip::VersionChip,
    },
    words::{counted, signed, thousands},
};

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

/// What the address of a comparison says of the two.
const CHOICE: [&str; 5] = ["base", "head", "other_base", "other_head", "open"];

/// The form that chooses the two: from the newest versions of the agent, or any other by its name.
fn choose(place: &str, query: &ParamsMap, base: &str, head: &str, versions: &[(String, String)]) -> AnyView {
    let mut swapped = query.clone();
    for name in CHOICE {
        swapped.remove(name);
    }
    swapped.insert("base", head.to_owned());
    let swap = format!("{place}{}", turned(&swapped, "head", base));
    let kept = ["view", "ws"]
        .into_iter()
        .filter_map(|name| {
            let value = query.get(name)?;
            Some(view! { <input type="hidden" name=name value=value /> })
        })
        .collect_view();
    let field = |name: &'static str, label: &'static str, chosen: &str| {
        let is_listed = versions.iter().any(|(version, _)| version == chosen);
        let unlisted = (!is_listed).then(|| {
            view! { <option value=chosen.to_owned() selected=true>{chosen.to_owned()}</option> }
        });
        let listed = versions
            .iter()
            .map(|(version, status)| {
                let text = format!("{version} · {status}");
                view! { <option value=version.clone() selected=version == chosen>{text}</option> }
            })
            .collect_view();
        view! {
            <div class="field">
                <label for=format!("side-{name}")>{label}</label>
                <select id=format!("side-{name}") name=name class="version">
                    {unlisted}
                    {listed}
                </select>
            </div>
        }
    };
    let typed = |name: &'static str, label: &'static str| {
        view! {
            <label class="field">
                <span>{label}</span>
                <input name=name class="version" placeholder="1.0.0 or agent@1.0.0" autocapitalize="off" spellcheck="false" />
            </label>
        }
    };
    view! {
        <form class="filters choose" method="get" action=place.to_owned() aria-label="Choose two versions">
            {field("base", "Base", base)}
            <a class="button quiet" href=swap aria-label="Swap the two" title="Swap the two">"⇄"</a>
            {field("head", "Head", head)}
            {kept}
            <button type="submit">"Compare"</button>
            <details open=versions.is_empty()>
                <summary>"An older version, or another agent's"</summary>
                <div class="typed">
                    {typed("other_base", "Other base")}
                    {typed("other_head", "Other head")}
                </div>
            </details>
        </form>
    }
    .into_any()
}

fn side_card(side: &Side, label: &'static str, place: &str, query: &ParamsMap, agent: &str, now: i64) -> AnyView {
    let base = format!("/agents/{}", side.agent_type);
    let promote = format!("{place}{}", with(query, "promote", &named(side, agent)));
    let place_id = format!("do-{}", named(side, agent));
    let action = match side.status.as_str() {
        "active" => view! { <span class="faint small">"Live"</span> }.into_any(),
        "draft" => view! { <a class="button" href=promote id=place_id.clone()>{format!("Promote {}", side.version)}</a> }.into_any(),
        _ => view! {
            <a class="button" href=promote id=place_id.clone() aria-label=format!("Fix forward with this text: {}", side.version)>
                "Fix forward with this text"
            </a>
        }
        .into_any(),
    };
    let by = side.created_by.as_ref().map(|name| format!(" by {name}"));
    let other =
        (side.agent_type != agent).then(|| view! { <span class="agent-name">{side.agent_type.clone()}</span> " " });
    view! {
        <div class="side">
            <span class="faint small">{label}</span>
            {other}
            <a href=format!("{base}/versions/{}", side.version)>
                <VersionChip version=side.version.clone() status=side.status.clone() />
            </a>
            <span class="faint small"><RelativeTime moment=side.created_at.clone() now /> {by}</span>
            <span class="side-action">{action}</span>
        </div>
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

/// Names that stand in the line of their group; more of them are folded.
const NAMES: usize = 6;

/// The longest such line, in characters.
const LINE: usize = 120;

/// Counts of both and their change; variables and sections that came and went. One line each, so that the difference itself begins
/// in the upper part of the window.
#[component]
fn Figures(
    base: Side,
    head: Side,
    variables_added: Vec<String>,
    variables_removed: Vec<String>,
    sections: SectionChanges,
) -> impl IntoView {
    let (old, new) = (base.counts, head.counts);
    let counts = [
        ("Characters", old.chars, new.chars),
        ("Words", old.words, new.words),
        ("Lines", old.lines, new.lines),
        ("Tokens, about", old.tokens, new.tokens),
    ]
    .into_iter()
    .map(|(name, old, new)| {
        let change = signed(i64::from(new) - i64::from(old));
        view! {
            <li>
                <span class="faint">{name}</span>
                {format!(" {} → {} ", thousands(old), thousands(new))}
                <strong>{change}</strong>
            </li>
        }
    })
    .collect_view();
    view! {
        <section class="comparison-figures" aria-labelledby="figures-title">
            <h2 id="figures-title" class="visually-hidden">"In numbers"</h2>
            <ul class="counts" aria-label="Size">{counts}</ul>
            {names("Variables", [variables_added, variables_removed, Vec::new()])}
            {names("Sections", [sections.added, sections.removed, sections.changed])}
        </section>
    }
    .into_any()
}

/// Names that were added, removed and changed; nothing without any.
fn names(title: &'static str, names: [Vec<String>; 3]) -> Option<AnyView> {
    const KINDS: [(&str, &str, &str); 3] =
        [("added", "plus", "+"), ("removed", "minus", "−"), ("changed", "changed", "~")];
    let all = || names.iter().flatten();
    let (number, length) = (all().count(), all().map(|name| name.chars().count()).sum::<usize>());
    if number == 0 {
        return None;
    }
    let counts: Vec<String> = KINDS
        .iter()
        .zip(&names)
        .filter(|(_, names)| !names.is_empty())
        .map(|((kind, ..), names)| format!("{} {kind}", thousands(names.len() as u64)))
        .collect();
    let items = KINDS
        .into_iter()
        .zip(names)
        .flat_map(|((kind, class, sign), names)| {
            names.into_iter().map(move |name| {
                view! {
                    <li class=class>
                        <span class="sign" aria-hidden="true">{sign}</span>
                        <span class="visually-hidden">{kind}" "</span>
                        {name}
                    </li>
                }
            })
        })
        .collect_view();
    let list = view! { <ul class="names" aria-label=title>{items}</ul> };
    Some(if number <= NAMES && length <= LINE {
        view! { <div class="named"><span class="faint" aria-hidden="true">{title}</span> {list}</div> }.into_any()
    } else {
        view! {
            <details class="named">
                <summary><span class="faint">{title}</span> {format!(" {}", counts.join(", "))}</summary>
                {list}
            </details>
        }
        .into_any()
    })
}

/// What recorded calls say of both.
#[component]
fn PerformanceTable(base: Side, head: Side, agent: String) -> impl IntoView {
    let mut kinds: Vec<(String, String)> =
        base.performance.iter().chain(&head.performance).map(|row| (row.source.clone(), row.model.clone())).collect();
    kinds.sort();
    kinds.dedup();
    let content = if kinds.is_empty() {
        view! {
            <p class="faint prose">
                "No data yet. Figures appear here as soon as calls of either version are recorded: by an agent that answers \
                with it, or by a run in the lab."
            </p>
        }
        .into_any()
    } else {
        let bodies = kinds
            .into_iter()
            .map(|(source, model)| {
                let find = |side: &Side| {
                    side.performance.iter().find(|row| row.source == source && row.model == model).cloned()
                };
                performance_rows(&source, &model, find(&base), find(&head))
            })
            .collect_view();
        view! {
            <table class="plain performance">
                <thead>
                    <tr>
                        <th scope="col"><span class="visually-hidden">"Figure"</span></th>
                        <th scope="col" class="number">{named(&base, &agent)}</th>
                        <th scope="col" class="number">{named(&head, &agent)}</th>
                    </tr>
                </thead>
                {bodies}
            </table>
            <p class="faint small">"Percentiles are read from buckets and are at most 26 percent too high."</p>
        }
        .into_any()
    };
    let is_testable = base.agent_type == head.agent_type && base.version != head.version;
    let test = is_testable.then(|| {
        let address = format!("/lab/new?agent={}&a={}&b={}", base.agent_type, base.version, head.version);
        view! { <a class="button quiet" href=address>"Test the two in the lab"</a> }
    });
    view! {
        <section aria-labelledby="performance-title">
            <div class="list-head">
                <h2 id="performance-title">"Performance"</h2>
                {test}
            </div>
            {content}
        </section>
    }
    .into_any()
}

fn performance_rows(source: &str, model: &str, base: Option<PerformanceRow>, head: Option<PerformanceRow>) -> AnyView {
    type Figure = (&'static str, fn(&PerformanceRow) -> Option<String>);
    const FIGURES: [Figure; 7] = [
        ("Calls", |row| Some(thousands(row.calls))),
        ("Calls without an answer", |row| Some(format!("{:.1} %", row.error_rate * 100.0))),
        ("Latency, median", |row| row.p50_ms.map(|ms| format!("{ms:.0} ms"))),
        ("Latency, 95th percentile", |row| row.p95_ms.map(|ms| format!("{ms:.0} ms"))),
        ("Tokens answered, mean", |row| row.output_tokens.map(|tokens| format!("{tokens:.0}"))),
        ("Cost of a call, mean", |row| row.cost_usd.map(|cost| format!("${cost:.5}"))),
        ("Score, mean", |row| row.score.map(|score| format!("{score:.2}"))),
    ];
    let title = format!("{} · {model}", if source == "lab_run" { "Runs in the lab" } else { "Agents at work" });
    let cell = |row: &Option<PerformanceRow>, figure: fn(&PerformanceRow) -> Option<String>| {
        row.as_ref().and_then(figure).unwrap_or_else(|| "–".into())
    };
    let rows = FIGURES
        .into_iter()
        .map(|(name, figure)| {
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="number">{cell(&base, figure)}</td>
                    <td class="number">{cell(&head, figure)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <tbody>
            <tr>
                <th scope="rowgroup" colspan="3" class="group-title">{title}</th>
            </tr>
            {rows}
        </tbody>
    }
    .into_any()
}
