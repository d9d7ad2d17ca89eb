//! Files that are chosen on the lab's pages.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{StatusCode, header};
use sqlx::PgPool;
use versioning::MIGRATOR;

use crate::{
    api_lab::{Bench, good},
    support::Answer,
};

/// A form with files as a browser sends it: of each part its name, the name of its file if it is one, and its content.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (&'static str, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"\r\ncontent-type: text/plain")).unwrap_or_default();
        let head = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    ("multipart/form-data; boundary=edge", body)
}

async fn count(bench: &Bench) -> usize {
    bench.client.get(&format!("/api/v1/lab/sets/{}", bench.set)).await.json()["cases"].as_u64().unwrap() as usize
}

fn text(answer: Answer) -> String {
    String::from_utf8(answer.body).unwrap()
}

/// The page that is shown again when a form is refused.
async fn refused(bench: &Bench, path: &str, (kind, body): (&str, impl Into<Body>)) -> String {
    text(bench.client.post_raw(path, kind, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY))
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_of_cases_is_imported(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let import = format!("/lab/sets/{}/import", bench.set);
    // Its line breaks stay inside of texts.
    let csv = b"name,input\r\nFirst,\"one\r\ntwo\"\r\n";
    let yaml = b"- description: Second\n  vars: {input: a}\n- description: Third\n  vars: {input: b}\n";
    for (file, content, cases) in [("cases.csv", &csv[..], 2), ("cases.yaml", yaml, 4)] {
        let (kind, body) = form(&[
            ("page", None, b"1"),
            ("text_file", Some(file), content),
            ("text", None, b""),
            ("format", None, b""),
        ]);
        bench.client.post_raw(&import, kind, body).await.expect(StatusCode::SEE_OTHER);
        assert_eq!(count(&bench).await, cases, "{file}");
    }
    let cases = bench.client.get(&format!("/api/v1/lab/sets/{}", bench.set)).await.json();
    assert_eq!(cases["test_cases"][1]["input"], "one\r\ntwo");
    // Nothing was chosen: the text counts, with line breaks as in a file.
    let (kind, body) = form(&[("text_file", Some(""), b""), ("text", None, b"name,input\r\nLast,\"one\r\ntwo\"")]);
    bench.client.post_raw(&import, kind, body).await.expect(StatusCode::SEE_OTHER);
    let cases = bench.client.get(&format!("/api/v1/lab/sets/{}", bench.set)).await.json();
    assert_eq!(cases["test_cases"][4]["input"], "one\ntwo");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_that_cannot_be_taken_is_refused_and_nothing_is_lost(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let import = format!("/lab/sets/{}/import", bench.set);
    for (file, pasted, said) in [
        (&b"name,input\nbroken"[..], &b""[..], "Nothing was imported. Line 2"),
        (b"name,input\nCase 1,x", b"", "Nothing was imported. Another case of the set has the name"),
        (b"", b"", "Nothing was imported"),
        (b"name,input\na,\xff", b"", "The file is not text in UTF-8."),
        (b"name,input\na,b", b"name,input\nc,d", "A file was chosen, and there is a text as well."),
    ] {
        let (kind, body) = form(&[("text_file", Some("cases.csv"), file), ("text", None, pasted)]);
        // The text may come before its file as well.
        let (_, turned) = form(&[("text", None, pasted), ("text_file", Some("cases.csv"), file)]);
        for body in [body, turned] {
            let page = refused(&bench, &import, (kind, body)).await;
            let at_the_file = page.split("id=\"about-text_file\"").nth(1).unwrap().split("</span>").next().unwrap();
            assert!(at_the_file.contains(said), "{said}: {page}");
            let kept = format!("\n{}</textarea>", str::from_utf8(pasted).unwrap());
            assert!(page.contains(&kept), "{said}: what was written is still there: {page}");
        }
    }
    let files: [(&str, Option<&str>, &[u8]); 2] =
        [("text_file", Some("a.csv"), b"name,input\na,b"), ("text_file", Some("b.csv"), b"name,input\nc,d")];
    let (kind, body) = form(&files);
    let page = refused(&bench, &import, (kind, body)).await;
    assert!(page.contains("Two files were sent. Choose one."), "{page}");
    assert_eq!(count(&bench).await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn how_a_form_is_sent_is_no_matter_as_long_as_it_can_be_read(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let import = format!("/lab/sets/{}/import", bench.set);
    // A file whose name cannot be read is a file, and a media type has no case.
    let nameless =
        "--edge\r\ncontent-disposition: form-data; name=\"text_file\"\r\n\r\nname,input\r\na,b\r\n--edge--\r\n";
    let kind = "Multipart/Form-Data; boundary=edge";
    bench.client.post_raw(&import, kind, nameless).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(count(&bench).await, 2);
    let many = format!("{}--edge--\r\n", "--edge\r\n\r\n\r\n".repeat(2_000));
    for path in [import.as_str(), "/lab/new"] {
        for (kind, body) in [
            ("multipart/form-data", "x".to_owned()),
            ("text/plain", "text=x".to_owned()),
            ("application/x-www-form-urlencoded", "a&".repeat(2_000)),
            ("multipart/form-data; boundary=edge", many.clone()),
        ] {
            let page = refused(&bench, path, (kind, body)).await;
            assert!(page.contains("The form could not be read."), "{path}: {kind}: {page}");
        }
    }
    let too_many = "a&".repeat(2_000);
    let kind = "application/x-www-form-urlencoded";
    bench.client.post_raw("/lab/sets", kind, too_many).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(count(&bench).await, 2);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn half_a_file_is_not_imported(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let import = format!("/lab/sets/{}/import", bench.set);
    let (kind, mut body) = form(&[("text_file", Some("cases.csv"), b"name,input\na,b\nc,d\n")]);
    body.truncate(body.len() - 14);
    let page = refused(&bench, &import, (kind, body)).await;
    assert!(page.contains("Not everything arrived at the server."), "{page}");
    // The same of a pasted text, when the connection breaks.
    let pieces = [Ok(Bytes::from("text=name%2Cinput%0Aa%2Cb%0A")), Err(std::io::Error::other("it is gone"))];
    let broken = Body::from_stream(stream::iter(pieces));
    let kind = "application/x-www-form-urlencoded";
    let page = refused(&bench, &import, (kind, broken)).await;
    assert!(page.contains("Not everything arrived at the server."), "{page}");
    assert_eq!(count(&bench).await, 1);
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_that_is_too_large_is_read_to_its_end_and_refused(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    const PIECE: Bytes = Bytes::from_static(&[b'x'; 1 << 20]);
    let head = "--edge\r\ncontent-disposition: form-data; name=\"text_file\"; filename=\"cases.csv\"\r\n\r\n";
    let pieces = std::iter::once(Bytes::from(head)).chain((0..100).map(|_| PIECE)).map(Ok::<_, Infallible>);
    let body = Body::from_stream(stream::iter(pieces));
    let kind = "multipart/form-data; boundary=edge";
    let import = format!("/lab/sets/{}/import", bench.set);
    let page = refused(&bench, &import, (kind, body)).await;
    assert!(page.contains("more than the 96 MiB"), "{page}");
}

#[sqlx::test(migrator = "MIGRATOR")]
async fn a_file_of_answers_is_judged(pool: PgPool) {
    let bench = Bench::new(&pool, ["One.", "Two."], good(1)).await;
    let answers =
        ["a", "b"].map(|side| format!("{{\"case\": \"Case 1\", \"side\": \"{side}\", \"output\": \"GOOD\"}}"));
    let answers = answers.join("\n");
    let set = bench.set.to_string();
    let needed: [(&str, Option<&str>, &[u8]); 6] = [
        ("agent_type", None, b"writer"),
        ("version_a", None, b"1.0.0"),
        ("version_b", None, b"1.1.0"),
        ("set_id", None, set.as_bytes()),
        ("primary", None, b"pass_rate"),
        ("intent", None, b"outputs"),
    ];
    let send = async |file: &[u8]| {
        let (kind, body) = form(&[&needed[..], &[("outputs_file", Some("answers.jsonl"), file)]].concat());
        bench.client.post_raw("/lab/new", kind, body).await
    };
    let page = text(send(b"{}").await.expect(StatusCode::UNPROCESSABLE_ENTITY));
    let at_the_file = page.split("id=\"about-outputs_file\"").nth(1).unwrap().split("</span>").next().unwrap();
    assert!(at_the_file.contains("Nothing was imported. "), "{page}");
    // What is wrong elsewhere costs the choice of the file as well, which is said.
    let needed: Vec<_> = needed.into_iter().filter(|(name, ..)| *name != "version_b").collect();
    let (kind, body) = form(&[&needed[..], &[("outputs_file", Some("answers.jsonl"), answers.as_bytes())]].concat());
    let refused = bench.client.post_raw("/lab/new", kind, body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text(refused).contains("Choose the file again"));
    let begun = send(answers.as_bytes()).await.expect(StatusCode::SEE_OTHER);
    let run =
        bench.finished(begun.headers[header::LOCATION].to_str().unwrap().strip_prefix("/lab/runs/").unwrap()).await;
    assert_eq!((&run["is_imported"], &run["done"]), (&true.into(), &2.into()));
}
