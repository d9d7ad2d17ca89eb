//! The OpenAPI document: locked, served, and true.

use http::StatusCode;
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::support::Client;

#[test]
fn the_document_is_locked() {
    insta::assert_json_snapshot!("openapi", server::api::openapi());
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn the_document_and_its_page_are_served(pool: PgPool) {
    let client = Client::new(&pool);
    let served = client.get("/api/v1/openapi.json").await.expect(StatusCode::OK).json();
    assert_eq!(served, serde_json::to_value(server::api::openapi()).unwrap());
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = client.get("/docs/").await.expect(StatusCode::OK);
    assert!(String::from_utf8(page.body).unwrap().contains("swagger-ui"));
}

#[test]
fn every_row_of_the_design_is_there() {
    let document = serde_json::to_value(server::api::openapi()).unwrap();
    for (method, path) in [
        ("post", "/api/v1/prompts/versions"),
        ("post", "/api/v1/prompts/patch"),
        ("post", "/api/v1/prompts/promote"),
        ("post", "/api/v1/prompts/reissue"),
        ("get", "/api/v1/prompts/{agent_type}/versions"),
        ("get", "/api/v1/prompts/{agent_type}/active"),
        ("get", "/api/v1/prompts/{agent_type}/{version}"),
        ("delete", "/api/v1/prompts/cache/{agent_type}"),
        ("get", "/api/v1/prompts/cache/stats"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path}");
    }
}

#[test]
fn every_operation_says_what_an_outage_means() {
    let document = serde_json::to_value(server::api::openapi()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["responses"]["503"]["description"].is_string(), "{method} {path}");
        }
    }
}
