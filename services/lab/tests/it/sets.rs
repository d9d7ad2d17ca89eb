//! Sets of test cases.

use lab::cases::CaseFormat;
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;

use crate::support::{MIGRATOR, agent, case, cases, registry, set};

fn names(set: &lab::TestSet) -> Vec<&str> {
    set.test_cases.iter().map(|stored| stored.case.name.as_str()).collect()
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn cases_are_added_moved_duplicated_changed_and_deleted(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let id = set(&node, &cases(3)).await.summary.id;
    let ids: Vec<_> = node.lab.set(id).await.unwrap().test_cases.iter().map(|stored| stored.id).collect();

    node.lab.move_case(id, ids[2], 0).await.unwrap();
    assert_eq!(names(&node.lab.set(id).await.unwrap()), ["Case 3", "Case 1", "Case 2"]);
    node.lab.duplicate_case(id, ids[0]).await.unwrap();
    node.lab.duplicate_case(id, ids[0]).await.unwrap();
    assert_eq!(
        names(&node.lab.set(id).await.unwrap()),
        ["Case 3", "Case 1", "Case 1 (3)", "Case 1 (2)", "Case 2"],
        "a copy follows its original under a free name"
    );
    node.lab.replace_case(id, ids[1], case("Second", "Other", Vec::new())).await.unwrap();
    node.lab.delete_case(id, ids[2]).await.unwrap();
    let now = node.lab.set(id).await.unwrap();
    assert_eq!(names(&now), ["Case 1", "Case 1 (3)", "Case 1 (2)", "Second"]);
    assert_eq!(now.summary.cases, 4);
    assert_eq!(now.test_cases[3].id, ids[1], "a case that is changed keeps its handle");

    // Names may be exchanged in one change only; one after the other they collide.
    let taken = node.lab.replace_case(id, ids[1], case("Case 1", "x", Vec::new())).await.unwrap_err();
    assert_eq!(taken.code(), "case_name_taken");
    assert_eq!(node.lab.delete_case(id, ids[2]).await.unwrap_err().code(), "unknown_case");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn writers_of_one_set_do_not_lose_each_others_cases(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let id = set(&node, &[]).await.summary.id;
    let writers: Vec<_> = (0..20)
        .map(|number| {
            let lab = node.lab.clone();
            tokio::spawn(async move {
                lab.add_cases(id, vec![case(&format!("From {number}"), "x", Vec::new())]).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(node.lab.set(id).await.unwrap().test_cases.len(), 20);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_set_is_exported_and_imported(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let id = set(&node, &cases(3)).await.summary.id;
    for format in [CaseFormat::Csv, CaseFormat::JsonLines, CaseFormat::Promptfoo] {
        let text = node.lab.export_cases(id, format).await.unwrap();
        let other = set(&node, &[]).await.summary.id;
        assert_eq!(node.lab.import_cases(other, format, &text).await.unwrap(), 3);
        let (one, two) = (node.lab.set(id).await.unwrap(), node.lab.set(other).await.unwrap());
        let plain = |set: lab::TestSet| set.test_cases.into_iter().map(|stored| stored.case).collect::<Vec<_>>();
        assert_eq!(plain(one), plain(two), "{format:?}");
    }
    let refused = node.lab.import_cases(id, CaseFormat::JsonLines, "{\"name\":\"x\",\"input\":\"y\"}\n{oops\n").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), "malformed_import");
    assert!(refused.to_string().contains('2'), "it names the line: {refused}");
    assert_eq!(node.lab.set(id).await.unwrap().test_cases.len(), 3, "nothing was taken");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn sets_are_named_renamed_and_deleted(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let one = node.lab.create_set(&agent(), " Refunds ", &[]).await.unwrap();
    assert_eq!(one.summary.name, "Refunds");
    assert_eq!(node.lab.create_set(&agent(), "Refunds", &[]).await.unwrap_err().code(), "set_name_taken");
    assert_eq!(node.lab.create_set(&agent(), "\u{7}", &[]).await.unwrap_err().code(), "invalid_set_name");
    let nobody = "nobody".parse().unwrap();
    assert_eq!(node.lab.create_set(&nobody, "Any", &[]).await.unwrap_err().code(), "unknown_agent");
    node.lab.rename_set(one.summary.id, "Returns").await.unwrap();
    assert_eq!(node.lab.sets(Some(&agent())).await.unwrap()[0].name, "Returns");
    node.lab.delete_set(one.summary.id).await.unwrap();
    assert_eq!(node.lab.set(one.summary.id).await.unwrap_err().code(), "unknown_set");
    assert_eq!(node.lab.delete_set(one.summary.id).await.unwrap_err().code(), "unknown_set");
}
