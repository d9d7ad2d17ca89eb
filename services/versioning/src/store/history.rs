//! Reading a history: filtered, sorted, in pages.

use sqlx::{FromRow, Postgres, QueryBuilder};

use super::{
    PromptStore,
    read::number,
    rows::{EventRow, VersionRow, stored_count, stored_version},
};
use crate::{
    Activation, AgentType, Event, History, HistoryOrder, HistoryQuery, HistoryRow, Version, VersionStatus,
    VersioningError,
};

#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    version: VersionRow,
    previous_char_count: Option<i32>,
}

impl TryFrom<Row> for HistoryRow {
    type Error = VersioningError;

    fn try_from(row: Row) -> Result<Self, VersioningError> {
        Ok(Self {
            previous_char_count: row.previous_char_count.map(stored_count).transpose()?,
            version: row.version.try_into()?,
        })
    }
}

impl PromptStore {
    /// A page of the history, and how much there is in all.
    pub(crate) async fn history(&self, query: &HistoryQuery) -> Result<History, VersioningError> {
        // Put together at run time: with conditions that are only sometimes there, a prepared statement could not walk the
        // index that fits each.
        let mut count = QueryBuilder::new("select count(*) from prompts");
        count.push(" left join prompts active on active.agent_type = prompts.agent_type and active.is_active");
        push_conditions(&mut count, query);
        let total: i64 = count.build_query_scalar().fetch_one(&self.pool).await?;

        let mut page = QueryBuilder::new(
            "select prompts.id, prompts.agent_type, prompts.version, active.version as active_version, prompts.created_at,
                prompts.created_by, prompts.notes, prompts.activated_at, prompts.sha256, prompts.char_count,
                prompts.line_count,
                (select below.char_count from prompts below
                    where below.agent_type = prompts.agent_type
                        and (below.major, below.minor, below.patch) < (prompts.major, prompts.minor, prompts.patch)
                    order by below.major desc, below.minor desc, below.patch desc limit 1) as previous_char_count
            from prompts left join prompts active on active.agent_type = prompts.agent_type and active.is_active",
        );
        push_conditions(&mut page, query);
        page.push(match (query.order, query.ascending, query.agent_type.is_some()) {
            (HistoryOrder::Created, false, _) => {
                " order by prompts.created_at desc, prompts.major desc, prompts.minor desc, prompts.patch desc"
            }
            (HistoryOrder::Created, true, _) => {
                " order by prompts.created_at, prompts.major, prompts.minor, prompts.patch"
            }
            (HistoryOrder::Version, false, true) => {
                " order by prompts.major desc, prompts.minor desc, prompts.patch desc"
            }
            (HistoryOrder::Version, true, true) => " order by prompts.major, prompts.minor, prompts.patch",
            (HistoryOrder::Version, false, false) => {
                " order by prompts.agent_type, prompts.major desc, prompts.minor desc, prompts.patch desc"
            }
            (HistoryOrder::Version, true, false) => {
                " order by prompts.agent_type, prompts.major, prompts.minor, prompts.patch"
            }
        });
        page.push(" limit ").push_bind(i64::from(query.limit));
        page.push(" offset ").push_bind(i64::from(query.offset));
        let rows: Vec<Row> = page.build_query_as().fetch_all(&self.pool).await?;
        Ok(History {
            versions: rows.into_iter().map(HistoryRow::try_from).collect::<Result<_, _>>()?,
            total: u64::try_from(total).map_err(VersioningError::inconsistent)?,
        })
    }

    /// What was live when, newest first.
    pub(crate) async fn activations(
        &self,
        agent_type: &AgentType,
        limit: u32,
    ) -> Result<Vec<Activation>, VersioningError> {
        let rows = sqlx::query!(
            r#"select version, activated_at as "activated_at!",
                    (select actor from prompt_events
                        where agent_type = $1 and occurred_at = live.activated_at and kind = 'promoted'
                            and prompt_events.version = live.version
                        limit 1) as by
                from prompts live where agent_type = $1 and activated_at is not null
                order by activated_at desc limit $2"#,
            agent_type.as_str(),
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await?;
        let mut until = None;
        rows.into_iter()
            .map(|row| {
                let activation =
                    Activation { version: stored_version(&row.version)?, from: row.activated_at, until, by: row.by };
                until = Some(row.activated_at);
                Ok(activation)
            })
            .collect()
    }

    /// When a version was live.
    pub(crate) async fn activation_of(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Option<Activation>, VersioningError> {
        let row = sqlx::query!(
            r#"select activated_at as "from!",
                    (select min(activated_at) from prompts
                        where agent_type = $1 and activated_at > live.activated_at) as until,
                    (select actor from prompt_events
                        where agent_type = $1 and occurred_at = live.activated_at and kind = 'promoted'
                            and prompt_events.version = live.version
                        limit 1) as by
                from prompts live where agent_type = $1 and version = $2 and activated_at is not null"#,
            agent_type.as_str(),
            version.to_string(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Activation { version, from: row.from, until: row.until, by: row.by }))
    }

    /// What happened to one version, oldest first.
    pub(crate) async fn events_of_version(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<Vec<Event>, VersioningError> {
        sqlx::query_as!(
            EventRow,
            "select id, occurred_at, kind, agent_type, version, actor, base_version, previous_active, details
                from prompt_events where agent_type = $1 and version = $2 order by occurred_at, id",
            agent_type.as_str(),
            version.to_string(),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Event::try_from)
        .collect()
    }

    /// The last `limit` events after the one with this id, oldest first.
    pub(crate) async fn events_after(&self, id: i64, limit: u32) -> Result<Vec<Event>, VersioningError> {
        let mut events = sqlx::query_as!(
            EventRow,
            "select id, occurred_at, kind, agent_type, version, actor, base_version, previous_active, details
                from prompt_events where id > $1 order by id desc limit $2",
            id,
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Event::try_from)
        .collect::<Result<Vec<_>, _>>()?;
        events.reverse();
        Ok(events)
    }

    /// The versions next below and next above.
    pub(crate) async fn neighbours(
        &self,
        agent_type: &AgentType,
        version: Version,
    ) -> Result<(Option<Version>, Option<Version>), VersioningError> {
        let row = sqlx::query!(
            "select
                (select version from prompts where agent_type = $1 and (major, minor, patch) < ($2, $3, $4)
                    order by major desc, minor desc, patch desc limit 1) as below,
                (select version from prompts where agent_type = $1 and (major, minor, patch) > ($2, $3, $4)
                    order by major, minor, patch limit 1) as above",
            agent_type.as_str(),
            number(version.major()),
            number(version.minor()),
            number(version.patch()),
        )
        .fetch_one(&self.pool)
        .await?;
        let version = |text: Option<String>| text.as_deref().map(stored_version).transpose();
        Ok((version(row.below)?, version(row.above)?))
    }

    /// The texts of the newest versions.
    pub(crate) async fn newest_texts(
        &self,
        agent_type: &AgentType,
        limit: u32,
    ) -> Result<Vec<String>, VersioningError> {
        Ok(sqlx::query_scalar!(
            "select prompt_text from prompts where agent_type = $1
                order by created_at desc, major desc, minor desc, patch desc limit $2",
            agent_type.as_str(),
            i64::from(limit),
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

fn push_conditions(builder: &mut QueryBuilder<Postgres>, query: &HistoryQuery) {
    let mut word = " where ";
    let mut next = move || std::mem::replace(&mut word, " and ");
    if let Some(agent_type) = &query.agent_type {
        builder.push(next()).push("prompts.agent_type = ").push_bind(agent_type.as_str().to_owned());
    }
    if let Some(author) = &query.author {
        builder.push(next()).push("prompts.created_by ilike ").push_bind(containing(author));
    }
    if let Some(status) = query.status {
        builder.push(next()).push(match status {
            VersionStatus::Active => "prompts.is_active",
            VersionStatus::Draft => {
                "(active.id is null
                    or (prompts.major, prompts.minor, prompts.patch) > (active.major, active.minor, active.patch))"
            }
            VersionStatus::Superseded => {
                "(prompts.major, prompts.minor, prompts.patch) < (active.major, active.minor, active.patch)"
            }
        });
    }
    if let Some(text) = &query.text {
        let pattern = containing(text);
        builder.push(next()).push("(prompts.notes ilike ").push_bind(pattern.clone());
        builder.push(" or prompts.prompt_text ilike ").push_bind(pattern).push(")");
    }
}

/// A pattern of LIKE for texts that contain this one, letter by letter.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    // No text holds a NUL, and PostgreSQL would not even read the question.
    for c in text.chars().filter(|c| *c != '\0') {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
