//! Every version of an agent, or of all agents: found, sorted, compared, promoted.

mod time_line;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    hooks::{use_params_map, use_query_map},
    params::ParamsMap,
};

use crate::{
    AppError,
    api::{HistoryFilter, HistoryLine, HistoryPage, Overview, history},
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
use time_line::TimeLine;

/// The history of one agent, or of all of them with a filter.
#[component]
pub fn PromptHistory(
    /// What the server said of the agents.
    agents: Resource<Result<Overview, AppError>>,
) -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let agent = Memo::new(move |_| params.read().get("agent_type").unwrap_or_default());
    let filter = Memo::new(move |_| {
        let query = query.read();
        let text = |name: &str| query.get(name).unwrap_or_default();
        let agent = agent.get();
        HistoryFilter {
            named: if agent.is_empty() { text("agent") } else { String::new() },
            agent,
            author: text("author"),
            status: text("status"),
            q: text("q"),
            sort: text("sort"),
            dir: text("dir"),
            page: text("page").parse().unwrap_or(1),
        }
    });
    let page = Resource::new_blocking(move || filter.get(), history);
    let head = move || {
        let agent = agent.get();
        if agent.is_empty() {
            view! {
                <Title text="History" />
                <div class="page-head">
                    <h1>"History"</h1>
                    <p class="summary">"Every version of every agent"</p>
                </div>
            }
            .into_any()
        } else {
            view! {
                <Title text=format!("{agent} history") />
                <h1 class="visually-hidden">{format!("History of {agent}")}</h1>
                <AgentHeader agents agent_type=agent current="History" />
            }
            .into_any()
        }
    };
    view! {
        {head}
        {move || view! { <Filters agents filter=filter.get() is_for_all=agent.read().is_empty() /> }}
        <Transition fallback=|| view! { <p class="waiting">"Reading the history…"</p> }>
            {move || {
                let (filter, query) = (filter.get(), query.get());
                let is_for_all = agent.get().is_empty();
                Suspend::new(async move {
                    match page.await {
                        Ok(page) => view! { <Versions page filter query is_for_all /> }.into_any(),
                        Err(error) => view! { <ErrorNotice error /> }.into_any(),
                    }
                })
            }}
        </Transition>
        <PromoteDialog agent_type=agent />
    }
    .into_any()
}

/// The form of the filters. It works as it stands: its fields become the address.
#[component]
fn Filters(agents: Resource<Result<Overview, AppError>>, filter: HistoryFilter, is_for_all: bool) -> impl IntoView {
    let action = if is_for_all { "/history".to_owned() } else { format!("/agents/{}", filter.agent) };
    let fields = [&filter.author, &filter.status, &filter.q, &filter.named];
    let is_filtered = fields.into_iter().any(|field| !field.is_empty());
    let all = action.clone();
    let statuses = [("", "any status"), ("active", "active"), ("draft", "draft"), ("superseded", "superseded")]
        .into_iter()
        .map(|(value, name)| view! { <option value=value selected=value == filter.status>{name}</option> })
        .collect_view();
    let agent = is_for_all.then(|| {
        view! {
            <label class="field">
                <span>"Agent"</span>
                <input
                    name="agent"
                    value=filter.named.clone()
                    maxlength="50"
                    autocapitalize="off"
                    spellcheck="false"
                    list="agent-names"
                    placeholder="a name, or a part"
                />
            </label>
            <datalist id="agent-names">
                <Transition>
                    {move || Suspend::new(async move {
                        let agents = agents.await.map(|overview| overview.agents).unwrap_or_default();
                        agents.into_iter().map(|agent| view! { <option value=agent.agent_type></option> }).collect_view()
                    })}
                </Transition>
            </datalist>
        }
    });
    let hidden = |name: &'static str, value: &str| {
        (!value.is_empty()).then(|| view! { <input type="hidden" name=name value=value.to_owned() /> })
    };
    view! {
        <form class="filters" method="get" action=action role="search" aria-label="Filter the versions">
            {agent}
            <label class="field wide">
                <span>"Notes or prompt contain"</span>
                <input type="search" name="q" value=filter.q.clone() />
            </label>
            <label class="field">
                <span>"Author"</span>
                <input name="author" value=filter.author.clone() />
            </label>
            <label class="field">
                <span>"Status"</span>
                <select name="status">{statuses}</select>
            </label>
            {hidden("sort", &filter.sort)}
            {hidden("dir", &filter.dir)}
            <button type="submit">"Filter"</button>
            {is_filtered.then(|| view! { <a class="button quiet" href=all>"Show all"</a> })}
        </form>
    }
    .into_any()
}

#[component]
fn Versions(page: HistoryPage, filter: HistoryFilter, mut query: ParamsMap, is_for_all: bool) -> impl IntoView {
    // They go to other pages with the form alone: a link has what was chosen when this page was made, and not what is now.
    let picks = ["base", "head"].map(|side| Pick { side, chosen: query.get(side).filter(|name| is_version(name)) });
    query.remove("base");
    query.remove("head");
    let HistoryPage { agent, meant, rows, total, pages, spans, spans_cut, now } = page;
    let place = if is_for_all { "/history".to_owned() } else { format!("/agents/{}", filter.agent) };
    if rows.is_empty() {
        let nothing = match meant {
            Some(meant) => unclear(&place, &query, &filter.named, meant),
            None => nothing_found(place, total),
        };
        // The first version that is like that will stand here.
        return view! {
            <div class="beside history" class:alone=is_for_all data-live="versions" data-of=agent>{nothing}</div>
        }
        .into_any();
    }
    let sorted = |name: &'static str, label: &'static str| {
        let is_current = filter.sort == name || (filter.sort.is_empty() && name == "created");
        let is_ascending = filter.dir == "asc";
        let next = if is_current && !is_ascending { "asc" } else { "desc" };
        let mut query = query.clone();
        query.remove("sort");
        query.insert("sort", name.to_owned());
        let address = format!("{place}{}", turned(&query, "dir", next));
        let (sort, arrow) = match (is_current, is_ascending) {
            (false, _) => (None, ""),
            (true, true) => (Some("ascending"), " ↑"),
            (true, false) => (Some("descending"), " ↓"),
        };
        view! {
            <th scope="col" aria-sort=sort>
                <a href=address>{label}<span aria-hidden="true">{arrow}</span></a>
            </th>
        }
    };
    let orders = [
        ("created", "desc", "Newest"),
        ("created", "asc", "Oldest"),
        ("version", "desc", "Version ↓"),
        ("version", "asc", "Version ↑"),
    ]
    .into_iter()
    .map(|(name, direction, label)| {
        let is_by_version = filter.sort == "version";
        let is_current = (name == "version") == is_by_version && (direction == "asc") == (filter.dir == "asc");
        let mut query = query.clone();
        query.remove("sort");
        query.insert("sort", name.to_owned());
        let address = format!("{place}{}", turned(&query, "dir", direction));
        view! { <a class="button quiet" href=address aria-current=is_current.then_some("true")>{label}</a> }
    })
    .collect_view();
    let done = query.get("done").unwrap_or_default();
    let lines = rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            let promote = format!("{place}{}", with(&query, "promote", &named(row, is_for_all)));
            let is_done = named(row, is_for_all) == done;
            let chosen = picks.each_ref().map(|pick| pick.is_of(index, row));
            view! { <Line row=row.clone() now=now.seconds promote chosen is_for_all is_done /> }
        })
        .collect_view();
    let carried = carried(&picks, &rows, is_for_all);
    let can_compare = rows.len() > 1 || carried.is_some();
    let current = filter.page.max(1);
    let steps = (pages > 1).then(|| {
        // Buttons of the form, so that what is chosen here is still chosen there.
        let link = |page: u32, label: &'static str, rel: &'static str| {
            let page = page.to_string();
            view! { <button type="submit" formaction=place.clone() name="page" value=page data-page=rel>{label}</button> }
        };
        let kept = query.clone().into_iter().filter(|(name, _)| KEPT.contains(&name.as_ref()));
        let kept = kept.map(|(name, value)| view! { <input type="hidden" name=name.to_string() value=value /> }).collect_view();
        view! {
            <nav class="steps" aria-label="Pages">
                {kept}
                {(current > 1).then(|| link(current - 1, "Newer page", "prev"))}
                <span class="faint">{format!("Page {} of {}", thousands(current), thousands(pages))}</span>
                {(current < pages).then(|| link(current + 1, "Next page", "next"))}
            </nav>
        }
    });
    let time_line = (!spans.is_empty()).then(|| {
        let agent = agent.clone().unwrap_or_default();
        view! { <TimeLine spans are_more=spans_cut now=now.seconds agent /> }
    });
    view! {
        <div class="beside history" class:alone=is_for_all data-live="versions" data-of=agent>
            <section aria-labelledby="versions-title">
                <form method="get" action="/compare">
                    <div class="list-head">
                        <h2 id="versions-title">{counted(total, "version", "versions")}</h2>
                        {can_compare
                            .then(|| {
                                view! {
                                    <span class="faint small">"Choose a base and a head"</span>
                                    <button type="submit">"Compare the chosen"</button>
                                }
                            })}
                    </div>
                    {carried}
                    // Where rows become blocks there are no heads of columns to sort by.
                    <nav class="sort" aria-label="Sort">
                        <span class="faint small">"Sort by"</span>
                        {orders}
                    </nav>
                    <table class="versions">
                        <thead>
                            <tr>
                                <th scope="col" class="pick">
                                    <span class="visually-hidden">"Compare: "</span>
                                    <span class="side-name">"Base"</span>
                                    " "
                                    <span class="side-name">"Head"</span>
                                </th>
                                {sorted("version", "Version")}
                                <th scope="col">"Status"</th>
                                {sorted("created", "Created")}
                                <th scope="col" class="author">"Author"</th>
                                <th scope="col" class="notes">"Notes"</th>
                                <th scope="col" class="number">"Characters"</th>
                                <th scope="col"><span class="visually-hidden">"Do"</span></th>
                            </tr>
                        </thead>
                        <tbody>{lines}</tbody>
                    </table>
                    {steps}
                </form>
            </section>
            {time_line}
        </div>
    }
    .into_any()
}

fn nothing_found(place: String, total: u64) -> AnyView {
    view! {
        <p class="empty prose">
            {if total == 0 {
                "No version is like that. Loosen the filter, or show all."
            } else {
                "There is no such page. Go back to the first one."
            }}
            " "
            <a href=place>"Show all versions"</a>
        </p>
    }
    .into_any()
}

/// What was typed is no agent's name, and these may have been meant.
fn unclear(place: &str, query: &ParamsMap, typed: &str, meant: Vec<String>) -> AnyView {
    let begin = if meant.is_empty() {
        format!("There is no agent “{typed}”, and none with a name like it. ")
    } else {
        format!("There is no agent “{typed}”. Choose one with a name like it: ")
    };
    let links = meant
        .into_iter()
        .map(|name| {
            let address = format!("{place}{}", turned(query, "agent", &name));
            view! {
                <a class="agent-name" href=address>{name}</a>
                " · "
            }
        })
        .collect_view();
    view! {
        <p class="empty prose">{begin} {links} <a href=place.to_owned()>"Show all versions"</a></p>
    }
    .into_any()
}

fn named(row: &HistoryLine, is_for_all: bool) -> String {
    if is_for_all { format!("{}@{}", row.agent_type, row.version) } else { row.version.clone() }
}

/// What a page of the history passes on to the next one, beside what is chosen.
const KEPT: [&str; 6] = ["agent", "author", "status", "q", "sort", "dir"];

/// The version that is chosen for one side of a comparison.
struct Pick {
    side: &'static str,
    /// `agent@version`, where it was chosen on another page.
    chosen: Option<String>,
}

impl Pick {
    /// Whether it is this row: the two newest, until others are chosen.
    fn is_of(&self, index: usize, row: &HistoryLine) -> bool {
        match &self.chosen {
            Some(chosen) => *chosen == named(row, true),
            None => index == usize::from(self.side == "base"),
        }
    }
}

/// Whether this is the name of a version of an agent.
fn is_version(name: &str) -> bool {
    name.split_once('@').is_some_and(|(agent, version)| {
        agent.parse::<versioning::AgentType>().is_ok() && version.parse::<versioning::Version>().is_ok()
    })
}

/// What was chosen and is not on this page. It stands among the choices of its side, so that another one replaces it.
fn carried(picks: &[Pick; 2], rows: &[HistoryLine], is_for_all: bool) -> Option<AnyView> {
    let elsewhere = picks.iter().filter_map(|Pick { side, chosen }| {
        let chosen = chosen.clone().filter(|chosen| rows.iter().all(|row| named(row, true) != *chosen))?;
        let name = if is_for_all { chosen.as_str() } else { chosen.split_once('@').map_or("", |(_, version)| version) };
        let name = name.to_owned();
        Some(view! {
            " "
            <label>
                <input type="radio" name=*side value=chosen checked />
                {*side}
                " "
                <span class="version">{name}</span>
            </label>
        })
    });
    let elsewhere: Vec<_> = elsewhere.collect();
    (!elsewhere.is_empty())
        .then(|| view! { <p class="carried small">"Chosen on another page:" {elsewhere}</p> }.into_any())
}

#[component]
fn Line(
    row: HistoryLine,
    now: i64,
    promote: String,
    chosen: [bool; 2],
    is_for_all: bool,
    is_done: bool,
) -> impl IntoView {
    let (name, full_name) = (named(&row, is_for_all), named(&row, true));
    let HistoryLine { agent_type, version, status, created_at, created_by, notes, char_count, char_change } = row;
    let base = format!("/agents/{agent_type}");
    let pick = |side: &'static str, title: &'static str, is_chosen: bool| {
        let label = format!("{} {version} as the {side}", if is_for_all { agent_type.as_str() } else { "Compare" });
        view! {
            <label>
                <input type="radio" name=side value=full_name.clone() aria-label=label checked=is_chosen />
                <span class="side-name">{title}</span>
            </label>
        }
    };
    let picks = view! {
        {pick("base", "Base", chosen[0])}
        {pick("head", "Head", chosen[1])}
    };
    let place_id = format!("do-{name}");
    let action = match status.as_str() {
        "active" => view! { <span class="faint small">"Live"</span> }.into_any(),
        "draft" => view! { <a href=promote id=place_id aria-label=format!("Promote {version}")>"Promote"</a> }.into_any(),
        _ => view! { <a href=promote id=place_id aria-label=format!("Fix forward with the text of {version}")>"Fix forward"</a> }
            .into_any(),
    };
    let agent = is_for_all.then(|| {
        view! {
            <a class="agent-name" href=base.clone() title=agent_type.clone()>{agent_type.clone()}</a>
            " "
        }
    });
    view! {
        <tr id=format!("{agent_type}@{version}") class=status.clone() class:done=is_done tabindex="-1" data-row="">
            <td class="pick">{picks}</td>
            <th scope="row" data-label="Version">
                {agent}
                <a class="version" href=format!("{base}/versions/{version}") data-open="">{version.clone()}</a>
            </th>
            <td data-label="Status"><VersionChip version=status.clone() status=status.clone() /></td>
            <td data-label="Created"><RelativeTime moment=created_at now /></td>
            <td data-label="Author" class="author" title=created_by.clone()>{created_by.clone()}</td>
            <td data-label="Notes" class="notes" title=notes.clone()>{notes.clone()}</td>
            <td data-label="Characters" class="number">
                {thousands(char_count)}
                {char_change.map(|change| view! { " " <span class="faint small">{signed(change)}</span> })}
            </td>
            <td class="action">
                <a href=format!("{base}/edit?from={version}") rel="external" aria-label=format!("Edit from {version}")>"Edit"</a>
                " "
                {action}
            </td>
        </tr>
    }
    .into_any()
}
