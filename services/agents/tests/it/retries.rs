//! What is tried again, how often and when.

use std::time::{Duration, Instant};

use agents::{ModelErrorKind as K, Models, Retries, Tried, complete_with_retries};

use crate::support::{Canned, ask, endpoint, models_at, nobody};

/// Quick, so that the tests are.
const QUICK: Retries = Retries { attempts: 4, base: Duration::from_millis(5), cap: Duration::from_millis(10) };

async fn try_it(models: &Models, user: &str) -> Tried {
    complete_with_retries(models, &ask(user), QUICK).await
}

#[tokio::test]
async fn a_failure_that_passes_is_overcome() {
    let (api, models) = endpoint();
    for status in [408, 429, 500, 503] {
        let tried = try_it(&models, &format!("[status {status} times 2] Hi")).await;
        assert_eq!((tried.attempts, tried.outcome.unwrap().text.as_str()), (3, "Echo: Hi"), "{status}");
    }
    assert_eq!(api.requests().len(), 12);
}

#[tokio::test]
async fn a_failure_that_stays_is_reported_after_the_last_attempt() {
    let (api, models) = endpoint();
    for (user, kind) in
        [("[status 429]", K::RateLimited), ("[status 503]", K::Overloaded), ("[failing]", K::Overloaded)]
    {
        let tried = try_it(&models, user).await;
        assert_eq!((tried.attempts, tried.outcome.unwrap_err().kind), (4, kind), "{user}");
    }
    assert_eq!(api.requests().len(), 12);
}

#[tokio::test]
async fn what_cannot_change_is_asked_once() {
    let (api, models) = endpoint();
    for (status, kind) in [(400, K::Refused), (401, K::Unauthorized), (404, K::UnknownModel)] {
        let tried = try_it(&models, &format!("[status {status}]")).await;
        assert_eq!((tried.attempts, tried.outcome.unwrap_err().kind), (1, kind), "{status}");
    }
    let tried = try_it(&models, "[status 429 code insufficient_quota]").await;
    assert_eq!((tried.attempts, tried.outcome.unwrap_err().kind), (1, K::Refused));
    let tried = complete_with_retries(&models, &ask("[status 500]"), Retries::NONE).await;
    assert_eq!(tried.attempts, 1);
    assert_eq!(api.requests().len(), 5);
    let (address, _socket) = nobody();
    let tried = try_it(&models_at(&format!("http://{address}/v1")), "Hi").await;
    assert_eq!((tried.attempts, tried.outcome.unwrap_err().kind), (1, K::Unreachable));
}

#[tokio::test]
async fn an_answer_that_is_broken_is_a_result_that_may_cost() {
    let (api, models) = endpoint();
    for user in ["[cut]", "[unfinished]", "[malformed]", "[notutf8]"] {
        let tried = try_it(&models, user).await;
        let error = tried.outcome.unwrap_err();
        assert_eq!((tried.attempts, error.kind, error.may_cost()), (1, K::Broken, true), "{user}");
    }
    assert_eq!(api.requests().len(), 4);
    let error = try_it(&models, "[failing]").await.outcome.unwrap_err();
    assert!(error.after_text && error.may_cost(), "a part of the answer had come");
    assert!(!try_it(&models, "[status 503]").await.outcome.unwrap_err().may_cost());
}

#[tokio::test]
async fn who_asks_to_be_left_alone_for_long_is_left_alone() {
    let (api, models) = endpoint();
    let tried = try_it(&models, "[status 429 retry-after 3600]").await;
    let error = tried.outcome.unwrap_err();
    assert_eq!((tried.attempts, error.kind), (1, K::RateLimited));
    assert!(error.message.contains("for 60 minutes") && error.message.contains("try again later"), "{error}");
    assert_eq!(api.requests().len(), 1);
}

#[tokio::test]
async fn no_answer_in_time_is_tried_again() {
    let (_api, models) = endpoint();
    let mut request = ask("[hang]");
    request.timeout = Duration::from_millis(30);
    let tried = complete_with_retries(&models, &request, QUICK).await;
    assert_eq!((tried.attempts, tried.outcome.unwrap_err().kind), (4, K::Timeout));
}

#[tokio::test]
async fn the_provider_says_when_to_come_back() {
    let (api, models) = endpoint();
    let gap = |place: usize| {
        let requests = api.requests();
        requests[place + 1].at - requests[place].at
    };
    // What is far below what the wait would be in minutes, or by the other header.
    let short = Duration::from_secs(59);
    let started = Instant::now();
    let tried = try_it(&models, "[status 429 retry-after 1 times 1] Hi").await;
    let whole = started.elapsed();
    assert_eq!(tried.attempts, 2);
    // The waits of their own are 5 ms at most.
    assert!(gap(0) >= Duration::from_secs(1) && gap(0) < short, "{:?}", gap(0));
    // What was tried before, and the wait of a second, are not part of the answer's latency.
    let latency = tried.outcome.unwrap().latency;
    assert!(latency <= whole - Duration::from_secs(1), "{latency:?} of {whole:?}");
    let tried = try_it(&models, "[status 503 retry-after-ms 300 retry-after 500 times 1] Hi").await;
    assert_eq!(tried.attempts, 2);
    assert!(gap(2) >= Duration::from_millis(300) && gap(2) < short, "{:?}", gap(2));
}

#[tokio::test]
async fn what_the_provider_wishes_is_read_from_the_headers() {
    // So far away that what passes until it is read hardly counts.
    let soon = chrono::Utc::now() + Duration::from_hours(1);
    let date = soon.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (headers, seconds) in [
        (vec![("retry-after", "7")], Some(7.0..=7.0)),
        (vec![("retry-after", "0.5")], Some(0.5..=0.5)),
        (vec![("retry-after", "3600")], Some(3600.0..=3600.0)),
        (vec![("retry-after", "1e300")], Some(31_536_000.0..=31_536_000.0)),
        (vec![("retry-after", "7"), ("retry-after-ms", "1500")], Some(1.5..=1.5)),
        (vec![("retry-after", date.as_str())], Some(3300.0..=3600.0)),
        (vec![("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], Some(0.0..=0.0)),
        (vec![("retry-after", "-1")], None),
        (vec![("retry-after", "NaN")], None),
        (vec![("retry-after", "soon")], None),
        (vec![], None),
    ] {
        let server = Canned::answering(429, &headers, "{}").await;
        let error = agents::complete(&models_at(&server.url()), &ask("Hi")).await.unwrap_err();
        let found = error.retry_after.map(|wait| wait.as_secs_f64());
        let is_right = match (&seconds, found) {
            (Some(range), Some(found)) => range.contains(&found),
            (None, None) => true,
            _ => false,
        };
        assert!(is_right, "{headers:?}: {found:?}");
    }
}
