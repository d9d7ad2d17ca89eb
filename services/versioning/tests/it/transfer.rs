//! Export and import: exact, all or nothing.

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::{Author, ImportError, MIGRATOR, NewVersion, Notes, PromptManagementService, Reissue};

use crate::support::{OtherDatabase, agent, draft, live, new_patch, new_version, services, version, wide_pool};

async fn export(management: &PromptManagementService) -> String {
    let mut bytes = Vec::new();
    management.export(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

async fn import(management: &PromptManagementService, text: &str) -> Result<(), ImportError> {
    management.import(&mut text.as_bytes()).await.map(|_| ())
}

async fn is_empty(pool: &PgPool) -> bool {
    sqlx::query_scalar("select not exists (select 1 from agents) and not exists (select 1 from prompts)")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// A registry with everything that there is.
async fn fill(management: &PromptManagementService) {
    live(management, "writer", "1.0.0").await;
    management.create_patch(new_patch("writer", "quotes \" and \\ and\nlines\r\n\u{1F600}\n")).await.unwrap();
    draft(management, "writer", "1.10.0").await;
    draft(management, "writer", "1.9.0").await;
    let reissue = Reissue {
        agent_type: agent("writer"),
        version: version("1.0.0"),
        created_by: Author::parse("ada").unwrap(),
        notes: Notes::parse("Back\nto \"one\".".into()).unwrap(),
    };
    management.reissue(reissue).await.unwrap();
    management.clear_cache(&agent("writer")).await.unwrap();
    let first = NewVersion { created_by: Author::parse("grace").unwrap(), ..new_version("reader", "0.1.0", "draft") };
    management.create_version(first).await.unwrap();
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_import_reproduces_an_export_to_the_byte(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options.clone(), 5).await;
    let source = services(&pool).management;
    fill(&source).await;
    let exported = export(&source).await;
    assert_eq!(exported, export(&source).await, "two exports are the same");

    let other = OtherDatabase::create(&options).await;
    let goal = services(&other.pool);
    import(&goal.management, &exported).await.unwrap();
    assert_eq!(export(&goal.management).await, exported);
    let served = goal.loading.get_active_prompt(&agent("writer")).await.unwrap();
    assert_eq!(served.content().version.version, version("1.0.2"));
    assert_eq!(
        goal.management
            .live_at(&agent("writer"), served.content().version.created_at)
            .await
            .unwrap()
            .unwrap()
            .version
            .version,
        version("1.0.1")
    );
    // What was imported lives on.
    assert_eq!(goal.management.create_patch(new_patch("writer", "x")).await.unwrap().version, version("1.0.3"));
    other.remove().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_export_is_the_same_whatever_language_the_database_sorts_by(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options.clone(), 5).await;
    let source = services(&pool).management;
    for name in ["agent_x", "agent1", "agentx"] {
        live(&source, name, "1.0.0").await;
        // More than are read at once.
        for patch in 1..=60 {
            source.create_patch(new_patch(name, &format!("{patch}"))).await.unwrap();
        }
    }
    let exported = export(&source).await;

    let english = "template template0 encoding 'UTF8' locale 'C' locale_provider icu icu_locale 'en'";
    let other = OtherDatabase::create_with(&options, english).await;
    let goal = services(&other.pool).management;
    import(&goal, &exported).await.unwrap();
    let sorted: Vec<String> =
        sqlx::query_scalar("select agent_type from agents order by agent_type").fetch_all(&other.pool).await.unwrap();
    assert_eq!(sorted, ["agent_x", "agent1", "agentx"], "it does sort otherwise");
    assert_eq!(export(&goal).await, exported);
    let agents: Vec<_> = exported.lines().filter(|line| line.contains("\"record\":\"agent\"")).collect();
    assert!(
        agents[0].contains("agent1") && agents[1].contains("agent_x") && agents[2].contains("agentx"),
        "{agents:?}"
    );
    other.remove().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn an_import_into_a_full_registry_only_adds_agents(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options.clone(), 5).await;
    let source = services(&pool).management;
    fill(&source).await;
    let exported = export(&source).await;
    let other = OtherDatabase::create(&options).await;
    let goal = services(&other.pool).management;

    live(&goal, "stranger", "1.0.0").await;
    import(&goal, &exported).await.unwrap();
    let merged = export(&goal).await;
    let refused = import(&goal, &exported).await.unwrap_err();
    let ImportError::Conflict { agents } = &refused else { panic!("{refused:?}") };
    assert_eq!(agents, &["reader", "writer"]);
    assert_eq!(export(&goal).await, merged, "nothing was imported");
    other.remove().await;
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_that_is_not_whole_or_not_true_is_refused_at_its_line(_: PgPoolOptions, options: PgConnectOptions) {
    let pool = wide_pool(options.clone(), 5).await;
    let source = services(&pool).management;
    fill(&source).await;
    let exported = export(&source).await;
    let lines: Vec<_> = exported.lines().collect();
    let without = |skipped: usize| {
        lines.iter().enumerate().filter(|(index, _)| *index != skipped).map(|(_, line)| format!("{line}\n")).collect()
    };
    let other = OtherDatabase::create(&options).await;
    let goal = services(&other.pool).management;
    let last = lines.len();
    let cases: Vec<(String, u64, &str)> = vec![
        (String::new(), 1, "ends before the end"),
        ("hello\n".into(), 1, "not a record"),
        (without(0), 1, "begins with a header"),
        (exported.replace("\"format\":1", "\"format\":2"), 1, "format 2"),
        (without(last - 1), last as u64, "ends before the end"),
        (without(last - 2), last as u64 - 1, "lines are missing"),
        (format!("{exported}{}\n", lines[1]), last as u64 + 1, "after the end"),
        (exported.replace("quotes", "QUOTES"), 6, "digest"),
        (exported.replace("\"kind\":\"reissued\"", "\"kind\":\"undone\""), 0, "not a kind"),
        (exported.replace("\"record\":\"agent\"", "\"record\":\"agent\",\"colour\":1"), 2, "colour"),
        // The active version is not active: the time line has no end.
        (exported.replace("\"is_active\":true", "\"is_active\":false"), last as u64, "no active version"),
        (exported.replace("1.10.0", "01.10.0"), 0, "not a version"),
        (without(1), 0, "not among the agents"),
        (exported.replace("\"created_by\":\"ada\"", "\"created_by\":\"a\\nb\""), 0, "control character"),
    ];
    for (text, line, reason) in cases {
        let refused = import(&goal, &text).await.unwrap_err();
        let ImportError::Line { line: at, reason: said } = &refused else { panic!("{refused:?}") };
        assert!(said.contains(reason), "{said} does not say {reason}");
        assert!(line == 0 || *at == line, "line {at} for {line}: {said}");
        assert!(is_empty(&other.pool).await, "after {reason}");
    }
    import(&goal, &exported).await.unwrap();
    other.remove().await;
}
