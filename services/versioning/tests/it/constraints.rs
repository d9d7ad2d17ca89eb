//! The rules of the domain against hand-written SQL.

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use versioning::{
    MIGRATOR,
    agent_type::RESERVED,
    text::{char_count, line_count},
};

use crate::support::{agent, draft, live, new_version, services, version};

/// Runs statements in one transaction and names the constraint, or the SQLSTATE, that refused them.
async fn refusal(pool: &PgPool, statements: &str) -> Option<String> {
    let mut transaction = pool.begin().await.unwrap();
    let worked = match transaction.execute(AssertSqlSafe(statements.to_owned())).await {
        Ok(_) => transaction.commit().await,
        Err(error) => Err(error),
    };
    worked.err().map(|error| {
        let error = error.into_database_error().expect("the database refused");
        error.constraint().map_or_else(|| error.code().unwrap().into_owned(), Into::into)
    })
}

async fn check(pool: &PgPool, statements: &str, expected: &str) {
    assert_eq!(refusal(pool, statements).await.as_deref(), Some(expected), "{statements}");
}

/// `writer` with 1.0.0 superseded, 1.1.0 active and 1.2.0 a draft.
async fn writer(pool: &PgPool) {
    let management = services(pool).management;
    live(&management, "writer", "1.0.0").await;
    live(&management, "writer", "1.1.0").await;
    draft(&management, "writer", "1.2.0").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn agent_types_follow_the_pattern(pool: PgPool) {
    for name in ["Writer", "1st", "a b", "a/b", "", "é", "a-b"] {
        check(&pool, &format!("insert into agents (agent_type) values ('{name}')"), "agents_type_pattern").await;
    }
    check(&pool, &format!("insert into agents (agent_type) values ('{}')", "a".repeat(51)), "22001").await;
    for name in RESERVED {
        check(&pool, &format!("insert into agents (agent_type) values ('{name}')"), "agents_type_not_reserved").await;
    }
    // And no more than those: the two lists are one.
    let listed: i64 = sqlx::query_scalar(
        "select count(*) from pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''[a-z_]+''::', 'g')
            where conname = 'agents_type_not_reserved'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(usize::try_from(listed).unwrap(), RESERVED.len());
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn versions_are_strict(pool: PgPool) {
    writer(&pool).await;
    let insert = |number: &str| {
        format!("insert into prompts (agent_type, version, prompt_text) values ('writer', '{number}', 'x')")
    };
    for number in ["1.0", "01.0.0", "1.0.0-rc1", " 1.0.0", "1.0.0.0", "v1.0.0", "1.0.00", "", "99999999999999999.0.0"] {
        check(&pool, &insert(number), if number.len() > 20 { "22001" } else { "prompts_version_format" }).await;
    }
    check(&pool, &insert("99999999999999999999.0.0"), "22001").await;
    check(&pool, &insert("1.0.0"), "prompts_agent_type_version_key").await;
    assert_eq!(refusal(&pool, &insert("9999999999999999.0.0")).await, None);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn texts_have_bounds(pool: PgPool) {
    writer(&pool).await;
    let insert = |text: &str, notes: &str| {
        format!(
            "insert into prompts (agent_type, version, prompt_text, notes) values ('writer', '2.0.0', {text}, {notes})"
        )
    };
    check(&pool, &insert("''", "null"), "prompts_text_size").await;
    check(&pool, &insert("E' \\n\\t'", "null"), "prompts_text_size").await;
    check(&pool, &insert("repeat('é', 524289)", "null"), "prompts_text_size").await;
    check(&pool, &insert("'x'", "repeat('é', 2001)"), "prompts_notes_size").await;
    assert_eq!(refusal(&pool, &insert("repeat('é', 524288)", "repeat('é', 2000)")).await, None);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_version_never_changes(pool: PgPool) {
    writer(&pool).await;
    for change in [
        "prompt_text = 'y'",
        "version = '1.0.9'",
        "created_at = now()",
        "created_by = 'mallory'",
        "notes = 'y'",
        "sha256 = repeat('0', 64)",
        "id = gen_random_uuid()",
        "agent_type = 'other'",
        "activated_at = null",
        "activated_at = '2020-01-01'",
    ] {
        check(&pool, &format!("update prompts set {change} where version = '1.0.0'"), "prompts_immutable").await;
    }
    check(&pool, "update prompts set activated_at = now() where version = '1.2.0'", "prompts_immutable").await;
    // Down and up again in one transaction: the time at which it went live stays.
    let again = "do $$ begin
        update prompts set is_active = false where agent_type = 'writer' and is_active;
        update prompts set is_active = true where agent_type = 'writer'
            and activated_at = (select max(activated_at) from prompts where agent_type = 'writer');
    end $$";
    check(&pool, again, "prompts_immutable").await;
    let ahead = "insert into prompts (agent_type, version, prompt_text, is_active, activated_at)
        values ('writer', '9.0.0', 'x', true, '2999-01-01')";
    check(&pool, ahead, "prompts_fix_forward").await;
    check(&pool, "delete from prompts where version = '1.2.0'", "prompts_immutable").await;
    check(&pool, "truncate prompts cascade", "prompts_immutable").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_trail_is_append_only(pool: PgPool) {
    writer(&pool).await;
    check(&pool, "update prompt_events set actor = 'mallory'", "prompt_events_immutable").await;
    check(&pool, "delete from prompt_events", "prompt_events_immutable").await;
    check(&pool, "truncate prompt_events", "prompt_events_immutable").await;
    check(&pool, "delete from agents", "agents_immutable").await;
    check(&pool, "update agents set agent_type = 'other'", "agents_immutable").await;
    check(&pool, "update agents set created_at = now() - interval '1 day'", "agents_immutable").await;
    check(&pool, "truncate agents cascade", "agents_immutable").await;
    let event = |columns: &str| format!("insert into prompt_events (kind, agent_type, version) values ({columns})");
    check(&pool, &event("'created', 'writer', '9.9.9'"), "prompt_events_version_fkey").await;
    check(&pool, &event("'deleted', 'writer', '1.0.0'"), "prompt_events_kind").await;
    check(&pool, &event("'cache_cleared', 'No Such', null"), "prompt_events_agent_type_fkey").await;
    for (column, constraint) in
        [("base_version", "prompt_events_base_fkey"), ("previous_active", "prompt_events_previous_fkey")]
    {
        let statement = format!(
            "insert into prompt_events (kind, agent_type, version, {column}) values ('created', 'writer', '1.0.0', 'banana')"
        );
        check(&pool, &statement, constraint).await;
    }
    check(&pool, &event("'promoted', 'writer', null"), "prompt_events_names_version").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn one_version_is_active(pool: PgPool) {
    writer(&pool).await;
    check(&pool, "update prompts set is_active = true where version = '1.2.0'", "prompts_one_active_per_agent").await;
    check(
        &pool,
        "insert into prompts (agent_type, version, prompt_text, is_active) values ('writer', '3.0.0', 'x', true)",
        "prompts_one_active_per_agent",
    )
    .await;
    check(&pool, "update prompts set is_active = false", "prompts_stays_active").await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_agent_names_what_is_active_and_nothing_else(pool: PgPool) {
    let named = async || {
        sqlx::query_scalar::<_, Option<String>>("select active_version from agents where agent_type = 'writer'")
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    draft(&services(&pool).management, "writer", "0.1.0").await;
    assert_eq!(named().await, None);
    writer(&pool).await;
    assert_eq!(named().await.as_deref(), Some("1.1.0"));
    for wrong in ["'1.0.0'", "'1.2.0'", "'9.9.9'", "null"] {
        let statement = format!("update agents set active_version = {wrong} where agent_type = 'writer'");
        check(&pool, &statement, "agents_immutable").await;
    }
    let statement = "insert into agents (agent_type, active_version) values ('other', '1.0.0')";
    check(&pool, statement, "agents_immutable").await;
    // By hand it follows as well.
    let by_hand = "update prompts set is_active = false where agent_type = 'writer' and is_active;
        update prompts set is_active = true where agent_type = 'writer' and version = '1.2.0'";
    assert_eq!(refusal(&pool, by_hand).await, None);
    assert_eq!(named().await.as_deref(), Some("1.2.0"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_goes_live_only_goes_up(pool: PgPool) {
    writer(&pool).await;
    let step_down = "update prompts set is_active = false where is_active; ";
    check(
        &pool,
        &format!("{step_down} update prompts set is_active = true where version = '1.0.0'"),
        "prompts_fix_forward",
    )
    .await;
    check(
        &pool,
        &format!("{step_down} insert into prompts (agent_type, version, prompt_text, is_active) values ('writer', '1.0.5', 'x', true)"),
        "prompts_fix_forward",
    )
    .await;
    // A past that never was: below the active version, but later.
    check(
        &pool,
        "insert into prompts (agent_type, version, prompt_text, activated_at) values ('writer', '1.0.5', 'x', now() + interval '1 day')",
        "prompts_fix_forward",
    )
    .await;
    // Above everything, and yet not active.
    check(
        &pool,
        "insert into prompts (agent_type, version, prompt_text, activated_at) values ('writer', '5.0.0', 'x', now() + interval '1 day')",
        "prompts_fix_forward",
    )
    .await;
    assert_eq!(
        refusal(&pool, &format!("{step_down} update prompts set is_active = true where version = '1.2.0'")).await,
        None
    );
    let content = services(&pool).management.get_prompt_content(&agent("writer"), version("1.2.0")).await.unwrap();
    assert!(content.version.activated_at.is_some(), "the database notes when");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn everything_says_why_it_is_there(pool: PgPool) {
    let silent: Vec<String> = sqlx::query_scalar(
        "select 'table ' || relname from pg_class
            where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '^_sqlx'
                and obj_description(oid, 'pg_class') is null
        union all
        select 'constraint ' || conname from pg_constraint
            where connamespace = 'public'::regnamespace and conrelid::regclass::text !~ '^_sqlx'
                and obj_description(oid, 'pg_constraint') is null
        union all
        select 'index ' || indexrelid::regclass from pg_index
            join pg_class on pg_class.oid = indexrelid
            where relnamespace = 'public'::regnamespace and indrelid::regclass::text !~ '^_sqlx'
                and obj_description(indexrelid, 'pg_class') is null
                and not exists (select 1 from pg_constraint where conindid = indexrelid)",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(silent, Vec::<String>::new());
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_requirement_s_columns_and_indexes_are_there(pool: PgPool) {
    let columns: Vec<String> = sqlx::query_scalar(
        "select column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', '')
            || case is_nullable when 'NO' then ' not null' else '' end
        from information_schema.columns where table_name = 'prompts'
            and column_name in ('id', 'agent_type', 'version', 'prompt_text', 'is_active', 'created_at', 'created_by', 'notes')
        order by ordinal_position",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(
        columns,
        [
            "id uuid not null",
            "agent_type character varying(50) not null",
            "version character varying(20) not null",
            "prompt_text text not null",
            "is_active boolean not null",
            "created_at timestamp with time zone not null",
            "created_by character varying(100)",
            "notes text",
        ]
    );
    let indexes: Vec<String> = sqlx::query_scalar(
        "select substring(indexdef from 'INDEX (.*)') from pg_indexes
            where tablename = 'prompts' and indexname like 'idx\\_%' order by 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(
        indexes,
        [
            "idx_prompts_active ON public.prompts USING btree (agent_type, is_active)",
            "idx_prompts_agent_type ON public.prompts USING btree (agent_type)",
            "idx_prompts_created ON public.prompts USING btree (created_at)",
        ]
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_database_counts_as_the_browser_will(pool: PgPool) {
    let management = services(&pool).management;
    let mut runner = TestRunner::deterministic();
    let texts = "(\\PC|\n|\r\n|\t){1,60}".prop_filter("blank", |text| !text.trim().is_empty());
    for patch in 0..60 {
        let text = texts.new_tree(&mut runner).unwrap().current();
        let created = management.create_version(new_version("writer", &format!("1.0.{patch}"), &text)).await.unwrap();
        assert_eq!(usize::try_from(created.char_count).unwrap(), char_count(&text), "{text:?}");
        assert_eq!(usize::try_from(created.line_count).unwrap(), line_count(&text), "{text:?}");
        let read = management.get_prompt_content(&agent("writer"), created.version).await.unwrap();
        assert_eq!(read.prompt_text, text);
    }
}
