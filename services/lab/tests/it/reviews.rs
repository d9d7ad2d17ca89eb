//! Blind review: nobody sees how it stands before it ends, and nobody changes it afterwards.

use lab::{Metric, Place, RunStatus};
use model_api::{Behaviour, ModelApi};
use sqlx::PgPool;

use crate::support::{MIGRATOR, author, case, cases, registry, request, run_to_end, runner, set, until};

#[sqlx::test(migrator = "MIGRATOR")]
async fn people_vote_blind_and_their_votes_count(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &cases(12)).await;
    let mut request = request(&set);
    request.plan.primary = Metric::Votes;
    let run = run_to_end(&node, request).await;
    let mut left = 0;
    for reviewer in ["ada", "grace"] {
        let reviewer = author(reviewer);
        let mut seen = Vec::new();
        while let Some(pair) = node.lab.next_pair(run.id, &reviewer).await.unwrap() {
            let is_left = pair.left == "GOOD";
            left += usize::from(is_left);
            assert_eq!((pair.voted, pair.pairs), (u32::try_from(seen.len()).unwrap(), 12));
            seen.push(pair.case_number);
            let place = if is_left { Place::Left } else { Place::Right };
            node.lab.vote(run.id, &reviewer, (pair.case_number, pair.repeat), place).await.unwrap();
        }
        assert_eq!(seen.len(), 12);
        assert!(!seen.is_sorted(), "everybody has an order of their own");
    }
    assert!((4..=20).contains(&left), "sides are shuffled: {left} of 24 on the left");
    let unknown = node.lab.vote(run.id, &author("ada"), (99, 1), Place::Tie).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_pair");
    node.lab.end_review(run.id).await.unwrap();
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!((report.votes, report.outcome.as_str()), (Some((0, 24, 0)), "b_is_better"), "{}", report.evidence);
    let primary = report.metrics.iter().find(|metric| metric.is_primary).unwrap();
    assert_eq!(primary.evidence.cases, 12, "two reviewers of one pair are one vote");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn votes_give_no_verdict_before_the_review_has_ended(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &cases(12)).await;
    for by_votes in [Metric::Votes, Metric::PassRate] {
        let mut request = request(&set);
        request.plan.primary = by_votes;
        request.plan.deciding = vec![Metric::Votes];
        let run = run_to_end(&node, request).await;
        let report = async || node.lab.report(run.id).await.unwrap();
        let vote = async |name: &str| {
            let reviewer = author(name);
            let pair = node.lab.next_pair(run.id, &reviewer).await.unwrap().unwrap();
            let place = if pair.left == "GOOD" { Place::Left } else { Place::Right };
            node.lab.vote(run.id, &reviewer, (pair.case_number, pair.repeat), place).await.unwrap();
        };
        for voted in 0..12 {
            // Six of six would have been p = 0.03.
            let report = report().await;
            assert_eq!((report.outcome.as_str(), report.review), ("no_verdict", (12, 12 - voted)));
            assert!(report.evidence.contains(&format!("{} of 12 pairs", 12 - voted)), "{}", report.evidence);
            assert_eq!(report.votes, None);
            assert!(report.metrics.iter().all(|metric| metric.metric != Metric::Votes), "nobody sees how it stands");
            assert_eq!(node.lab.end_review(run.id).await.unwrap_err().code(), "pairs_without_vote");
            vote("ada").await;
        }
        assert_eq!(report().await.outcome, "no_verdict", "others may still review");
        vote("grace").await;
        let run = node.lab.end_review(run.id).await.unwrap();
        assert!(run.review_ended_at.is_some());
        let settled = report().await;
        assert_ne!(settled.outcome, "no_verdict", "{}", settled.evidence);
        assert_eq!(settled.votes, Some((0, 13, 0)));
    }
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn votes_of_a_review_that_has_ended_stay(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &cases(3)).await;
    let run = node.lab.start(request(&set)).await.unwrap();
    assert_eq!(node.lab.end_review(run.id).await.unwrap_err().code(), "run_still_going");
    let runner = runner(&node);
    until(&node, run.id, |run| run.status != RunStatus::Running).await;
    runner.stop(std::time::Duration::from_secs(5)).await;
    assert_eq!(node.lab.end_review(run.id).await.unwrap_err().code(), "pairs_without_vote", "nobody has voted");

    let (ada, grace) = (author("ada"), author("grace"));
    let votes = async || node.lab.report(run.id).await.unwrap().votes;
    for (place, case) in [(Place::Left, 1), (Place::Tie, 1), (Place::Tie, 2)] {
        node.lab.vote(run.id, &ada, (case, 1), place).await.unwrap();
    }
    node.lab.end_review(run.id).await.unwrap();
    assert_eq!(votes().await, Some((0, 0, 2)), "a second thought replaced the first while it could");

    // Whoever has voted, and whoever has not.
    for reviewer in [&ada, &grace] {
        let refused = node.lab.vote(run.id, reviewer, (1, 1), Place::Left).await.unwrap_err();
        assert_eq!(refused.code(), "review_has_ended", "{refused}");
        assert_eq!(node.lab.next_pair(run.id, reviewer).await.unwrap_err().code(), "review_has_ended");
    }
    assert_eq!(node.lab.end_review(run.id).await.unwrap_err().code(), "review_has_ended");
    // Nor past the service.
    let open = run_to_end(&node, request(&set)).await;
    let carried_away = format!("update lab_votes set run_id = '{}'", open.id);
    for statement in [
        "insert into lab_votes (run_id, case_number, repeat, reviewer, vote)
            select run_id, 3, 1, 'grace', 'b' from lab_votes limit 1",
        "update lab_votes set vote = 'b'",
        "delete from lab_votes",
        "update lab_runs set review_ended_at = null where review_ended_at is not null",
        carried_away.as_str(),
    ] {
        let refused = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap_err();
        let refused = refused.as_database_error().and_then(|error| error.constraint()).map(str::to_owned);
        assert!(refused.as_deref().is_some_and(|name| name.ends_with("_final")), "{statement}: {refused:?}");
    }
    assert_eq!(votes().await, Some((0, 0, 2)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_vote_that_meets_the_end_of_the_review_is_counted_or_refused(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &cases(1)).await;
    let run = run_to_end(&node, request(&set)).await;
    node.lab.vote(run.id, &author("first"), (1, 1), Place::Tie).await.unwrap();
    // The review ends, and is not committed yet: a vote waits for it.
    let mut ending = pool.begin().await.unwrap();
    sqlx::query("update lab_runs set review_ended_at = now()").execute(&mut *ending).await.unwrap();
    let (lab, id) = (node.lab.clone(), run.id);
    let late = tokio::spawn(async move { lab.vote(id, &author("late"), (1, 1), Place::Tie).await });
    let waits = "select exists(select from pg_stat_activity where wait_event_type = 'Lock' and query like '%lab_votes%'
        and datname = current_database())";
    for attempt in 0.. {
        assert!(attempt < 3_000 && !late.is_finished(), "the vote does not wait");
        if sqlx::query_scalar::<_, bool>(waits).fetch_one(&pool).await.unwrap() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    ending.commit().await.unwrap();
    assert_eq!(late.await.unwrap().unwrap_err().code(), "review_has_ended");
    assert_eq!(node.lab.report(run.id).await.unwrap().votes, Some((0, 0, 1)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_vote_on_identical_answers_is_on_no_pair(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &[case("Differ", "Question", Vec::new()), case("Same", "[json 1]", Vec::new())]).await;
    let mut request = request(&set);
    request.plan.primary = Metric::Votes;
    let run = run_to_end(&node, request).await;
    // As it was kept before such pairs were left out.
    sqlx::query("insert into lab_votes (run_id, case_number, repeat, reviewer, vote) values ($1, 2, 1, 'ada', 'b')")
        .bind(run.id)
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(node.lab.report(run.id).await.unwrap().review, (1, 1));
    assert_eq!(node.lab.end_review(run.id).await.unwrap_err().code(), "pairs_without_vote");
    node.lab.vote(run.id, &author("ada"), (1, 1), Place::Tie).await.unwrap();
    node.lab.end_review(run.id).await.unwrap();
    let report = node.lab.report(run.id).await.unwrap();
    assert_eq!((report.votes, report.review), (Some((0, 0, 1)), (1, 0)));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_review_that_was_over_before_reviews_could_be_ended_is_ended_by_the_upgrade(pool: PgPool) {
    let api = ModelApi::start(Behaviour::default());
    let node = registry(&pool, &api, ["answer: PLAIN", "answer: GOOD"]).await;
    let set = set(&node, &cases(2)).await;
    let mut reviews = Vec::new();
    for voted in 0..=2 {
        let mut request = request(&set);
        request.plan.primary = Metric::Votes;
        let run = run_to_end(&node, request).await;
        for case in 1..=voted {
            node.lab.vote(run.id, &author("ada"), (case, 1), Place::Left).await.unwrap();
        }
        reviews.push(run.id);
    }
    sqlx::query("delete from _sqlx_migrations where version = 12").execute(&pool).await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    let mut ended = Vec::new();
    for id in reviews {
        let report = node.lab.report(id).await.unwrap();
        assert_eq!(report.run.review_ended_at.is_some(), report.outcome != "no_verdict", "{}", report.evidence);
        ended.push(report.run.review_ended_at.is_some());
    }
    assert_eq!(ended, [false, false, true], "what lacks votes goes on");
}
