//! Sets of test cases.

use lab::{Imported, cases::CaseFormat};
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
        assert_eq!(node.lab.import_cases(other, format, &text).await.unwrap(), Imported { cases: 3, first: 0 });
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
    assert_eq!(node.lab.sets(Some(&agent()), None, 1).await.unwrap().sets[0].name, "Returns");
    node.lab.delete_set(one.summary.id).await.unwrap();
    assert_eq!(node.lab.set(one.summary.id).await.unwrap_err().code(), "unknown_set");
    assert_eq!(node.lab.delete_set(one.summary.id).await.unwrap_err().code(), "unknown_set");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_largest_set_is_read_page_by_page_and_changed_case_by_case(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let mut all = cases(5_000);
    all[4_990].input = "é".repeat(1_000);
    all[4_990].tags = vec!["long".into(), "odd".into()];
    all[4_990].checks = vec![lab::checks::Check::IsJson {}];
    let id = set(&node, &all).await.summary.id;
    let page = node.lab.set_page(id, 4_990, 200).await.unwrap();
    assert_eq!((page.summary.cases, page.test_cases.len()), (5_000, 10), "the count is that of the set");
    assert_eq!(page.test_cases[0].case, all[4_990]);
    assert_eq!(node.lab.set_summary(id).await.unwrap(), page.summary);
    assert!(node.lab.set_page(id, 5_000, 50).await.unwrap().test_cases.is_empty());

    let lines = node.lab.case_lines(id, 4_990, 2).await.unwrap();
    assert_eq!((lines.len(), lines[0].place, lines[0].checks), (2, 4_990, 1));
    assert_eq!(
        (&lines[0].input, &lines[0].tags),
        (&"é".repeat(200), &all[4_990].tags),
        "a line has the start of the input"
    );

    let last = page.test_cases[9].id;
    assert_eq!(node.lab.case(id, last).await.unwrap().place, 4_999);
    let moved = node.lab.move_case(id, last, 0).await.unwrap();
    assert_eq!((moved.place, moved.stored.id, moved.stored.case.name.as_str()), (0, last, "Case 5000"));
    let first = node.lab.set_page(id, 0, 2).await.unwrap();
    assert_eq!(names(&first), ["Case 5000", "Case 1"]);
    let changed = node.lab.replace_case(id, last, case("Changed", "x", Vec::new())).await.unwrap();
    assert_eq!(changed, node.lab.case(id, last).await.unwrap());
    let deleted = node.lab.delete_case(id, last).await.unwrap();
    assert_eq!((deleted.place, deleted.stored.case.name.as_str()), (0, "Changed"));
    assert_eq!(node.lab.case(id, last).await.unwrap_err().code(), "unknown_case");
    let copy = node.lab.duplicate_case(id, first.test_cases[1].id).await.unwrap();
    assert_eq!((copy.place, copy.stored.case.name.as_str()), (1, "Case 1 (2)"));
    assert_eq!(names(&node.lab.set_page(id, 0, 3).await.unwrap()), ["Case 1", "Case 1 (2)", "Case 2"]);
    let full = node.lab.add_cases(id, cases(1)).await.unwrap_err();
    assert_eq!(full.code(), "case_name_taken");
    let full = node.lab.add_cases(id, vec![case("One more", "x", Vec::new())]).await.unwrap_err();
    assert_eq!((full.code(), full.field()), ("invalid_case", Some("cases")));

    let elsewhere = set(&node, &cases(1)).await;
    assert_eq!(
        node.lab.case(id, elsewhere.test_cases[0].id).await.unwrap_err().code(),
        "unknown_case",
        "a case of another set is none of this one"
    );
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn every_set_is_on_a_page(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["One.", "Two."]).await;
    let names = ["Alpha", "Beta", "Gamma & more", "Größe", "Old", "Zeta 100 %", "Ω"];
    for name in names.iter().rev() {
        node.lab.create_set(&agent(), name, &[]).await.unwrap();
    }
    let nobody = "nobody".parse().unwrap();
    assert!(node.lab.sets(Some(&nobody), None, 3).await.unwrap().sets.is_empty());
    for agent in [None, Some(&agent())] {
        let (mut listed, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = node.lab.sets(agent, cursor.as_ref(), 3).await.unwrap();
            assert!(page.sets.len() <= 3);
            listed.extend(page.sets.into_iter().map(|set| set.name));
            pages += 1;
            let Some(next) = page.next else { break };
            // As an address carries it.
            cursor = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(pages, 3);
        listed.sort_unstable();
        assert_eq!(listed, names, "each once");
    }
    // A page goes on where it stood, though the set it stood at is gone.
    let first = node.lab.sets(None, None, 3).await.unwrap();
    node.lab.delete_set(first.sets[2].id).await.unwrap();
    let second = node.lab.sets(None, first.next.as_ref(), 3).await.unwrap();
    assert!(second.sets.iter().all(|set| first.sets.iter().all(|seen| seen.id != set.id)));
    assert_eq!((second.sets.len(), second.next.is_some()), (3, true));
}
