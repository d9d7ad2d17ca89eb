//! The two versions of a comparison: the form that chooses them, and what each of them is.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::named;
use crate::{
    api::Side,
    components::{
        address::{turned, with},
        relative_time::RelativeTime,
        version_chip::VersionChip,
    },
};

/// What the address of a comparison says of the two.
const CHOICE: [&str; 5] = ["base", "head", "other_base", "other_head", "open"];

/// The form that chooses the two: from the newest versions of the agent, or any other by its name.
pub(super) fn choose(place: &str, query: &ParamsMap, base: &str, head: &str, versions: &[(String, String)]) -> AnyView {
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

/// What one of the two is, and how it goes live.
pub(super) fn side_card(
    side: &Side,
    label: &'static str,
    place: &str,
    query: &ParamsMap,
    agent: &str,
    now: i64,
) -> AnyView {
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
