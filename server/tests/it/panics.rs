//! A handler that panics: whoever asked is answered all the same.

use axum::{Router, routing::get};
use http::StatusCode;
use server::observe;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

async fn broken() -> &'static str {
    panic!("a secret")
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_call_that_panics_is_answered_with_a_problem(pool: PgPool) {
    let client =
        Client::new(&pool).with_router(|state| Router::new().route("/broken", get(broken)).layer(observe::api(state)));
    let answer = client.get("/broken").await;
    answer.problem(500, "internal");
    assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_page_that_panics_says_so(pool: PgPool) {
    let client =
        Client::new(&pool).with_router(|state| Router::new().route("/broken", get(broken)).layer(observe::page(state)));
    let answer = client.get("/broken").await.expect(StatusCode::INTERNAL_SERVER_ERROR);
    let said = String::from_utf8(answer.body.clone()).unwrap();
    assert!(said.contains(answer.header("x-request-id")) && !said.contains("secret"), "{said}");
}
