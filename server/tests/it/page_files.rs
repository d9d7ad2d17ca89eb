//! The files beside the pages, through the real router.

use http::{Request, StatusCode, header};
use leptos::reactive::owner::{Owner, provide_context};
use leptos_axum::ResponseOptions;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_has_nothing_of_the_page_that_is_rendered_meanwhile(pool: PgPool) {
    let client = Client::new(&pool);
    // As a thread is while a page that refuses something waits for the database.
    let page = Owner::new_root(None);
    page.set();
    let options = ResponseOptions::default();
    options.set_status(StatusCode::BAD_REQUEST);
    provide_context(options);

    let icon = client.get("/favicon.svg").await.expect(StatusCode::OK);
    assert_eq!(icon.header(header::CONTENT_TYPE), "image/svg+xml");
    assert_eq!(icon.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert!(icon.body.starts_with(b"<svg"));
    drop(page);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_is_sent_once(pool: PgPool) {
    let client = Client::new(&pool);
    let first = client.get("/robots.txt").await.expect(StatusCode::OK);
    assert_eq!(first.header(header::CACHE_CONTROL), "no-cache");
    let since = first.header(header::LAST_MODIFIED).to_owned();
    let again = Request::get("/robots.txt").header(header::IF_MODIFIED_SINCE, since).body("".into()).unwrap();
    assert!(client.send(again).await.expect(StatusCode::NOT_MODIFIED).body.is_empty());
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn what_is_no_file_of_the_site_is_answered_by_a_page(pool: PgPool) {
    let client = Client::new(&pool);
    for path in ["/nothing.txt", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "/%00"] {
        let page = client.get(path).await.expect(StatusCode::NOT_FOUND);
        assert!(page.header(header::CONTENT_TYPE).starts_with("text/html"), "{path}");
    }
}
