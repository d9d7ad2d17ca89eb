//! Finding words, and how busy agents were.

use std::collections::BTreeMap;

use super::{
    PromptStore,
    rows::{stored_agent_type, stored_count, stored_version},
};
use crate::{AgentType, SearchHit, SearchPlace, VersioningError};

impl PromptStore {
    /// Where the words stand: names of agents first, then texts and notes, the best first.
    pub(crate) async fn search(&self, words: &str, limit: u32) -> Result<Vec<SearchHit>, VersioningError> {
        // PostgreSQL's text cannot hold it, and nobody looks for it.
        let words = words.replace('\0', " ");
        let query = || {
            sqlx::query!(
                r#"with query as (
                    select websearch_to_tsquery('english', $1) as words
                ), hits as (
                    select 'name' as place, agent_type, null::varchar as version, agent_type::text as body,
                        1.0::real as rank, now() as at
                    from agents where strpos(agent_type, lower(btrim($1))) > 0
                    union all
                    select 'live', agent_type, version, prompt_text, ts_rank(prompt_document(prompt_text), words), created_at
                    from prompts, query where is_active and prompt_document(prompt_text) @@ words
                    union all
                    select 'draft', draft.agent_type, draft.version, draft.prompt_text,
                        ts_rank(prompt_document(draft.prompt_text), words), draft.created_at
                    from query, agents
                    left join prompts active on active.agent_type = agents.agent_type and active.is_active
                    cross join lateral (
                        select agent_type, version, prompt_text, created_at from prompts
                        where agent_type = agents.agent_type and (major, minor, patch)
                            > (coalesce(active.major, -1), coalesce(active.minor, -1), coalesce(active.patch, -1))
                        order by major desc, minor desc, patch desc limit 20
                    ) draft
                    where prompt_document(draft.prompt_text) @@ words
                    union all
                    select 'notes', agent_type, version, notes, ts_rank(prompt_document(notes), words), created_at
                    from prompts, query where notes is not null and prompt_document(notes) @@ words
                ), best as (
                    select * from hits order by place = 'name' desc, rank desc, at desc, agent_type, version limit $2
                )
                select place as "place!", agent_type as "agent_type!", version,
                    case when place = 'name' then body
                        else ts_headline('english', left(body, 100000), words, 'MaxWords=24, MinWords=12, StartSel=' || chr(57344)
                            || ', StopSel=' || chr(57345))
                    end as "excerpt!"
                from best, query
                order by place = 'name' desc, rank desc, at desc, agent_type, version"#,
                words,
                i64::from(limit),
            )
        };
        let rows = self.fetch_lagging(query).await?;
        rows.into_iter()
            .map(|row| {
                Ok(SearchHit {
                    agent_type: stored_agent_type(&row.agent_type)?,
                    version: row.version.as_deref().map(stored_version).transpose()?,
                    place: match row.place.as_str() {
                        "name" => SearchPlace::Name,
                        "live" => SearchPlace::LiveText,
                        "draft" => SearchPlace::DraftText,
                        _ => SearchPlace::Notes,
                    },
                    excerpt: row.excerpt,
                })
            })
            .collect()
    }

    /// Events per agent and day, today last.
    pub(crate) async fn daily_activity(&self, days: u32) -> Result<Vec<(AgentType, Vec<u32>)>, VersioningError> {
        let length = usize::try_from(days).map_err(VersioningError::inconsistent)?;
        let days = i32::try_from(days).map_err(VersioningError::inconsistent)?;
        let query = || {
            sqlx::query!(
                r#"with today as (select (now() at time zone 'UTC')::date as today)
                select agent_type, today - (occurred_at at time zone 'UTC')::date as "age!", count(*) as "count!"
                from prompt_events, today
                where occurred_at >= (today - ($1::int - 1))::timestamp at time zone 'UTC'
                group by 1, 2"#,
                days,
            )
        };
        let rows = self.fetch_lagging(query).await?;
        let mut activity: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in rows {
            let days = activity.entry(row.agent_type).or_insert_with(|| vec![0; length]);
            // An event of a clock ahead of ours counts as today's.
            let age = usize::try_from(row.age.max(0)).map_err(VersioningError::inconsistent)?;
            if let Some(day) = length.checked_sub(age + 1).and_then(|index| days.get_mut(index)) {
                *day += stored_count(row.count)?;
            }
        }
        activity.into_iter().map(|(name, days)| Ok((stored_agent_type(&name)?, days))).collect()
    }
}
