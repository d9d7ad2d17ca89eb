//! The examples of the README, run against a real server. What the README shows is what is run.

use std::{path::Path, process::Stdio};

use model_api::{Behaviour, ModelApi};
use rustix::process::{Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};
use versioning::PromptSource;

use crate::{
    process::{Node, database, verbatim},
    support::eventually,
};

#[path = "../../../examples/in_process.rs"]
mod in_process;
#[path = "../../../examples/remote.rs"]
mod remote;

/// The top of the source tree.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_readme_shows_what_is_run() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    // Indentation that all lines share belongs to the place, not to the example.
    let flush = |lines: &[&str]| {
        let indent = |line: &&&str| line.len() - line.trim_start().len();
        let least = lines.iter().filter(|line| !line.is_empty()).map(|line| indent(&line)).min().unwrap_or(0);
        lines.iter().map(|line| line.get(least..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    let mut parts = 0;
    for file in ["agent.py", "agent.sh", "in_process.rs", "remote.rs"] {
        let text = std::fs::read_to_string(root().join("examples").join(file)).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let is = |mark: &'static str| move |line: &&str| line.trim_start_matches(['/', '#', ' ']) == mark;
        let begins = lines.iter().enumerate().filter(|(_, line)| is("begin")(line)).map(|(number, _)| number + 1);
        let ends = lines.iter().enumerate().filter(|(_, line)| is("end")(line)).map(|(number, _)| number);
        for (begin, end) in begins.zip(ends) {
            let part = flush(&lines[begin..end]);
            assert!(readme.contains(&part), "the README does not show this part of {file}:\n{part}");
            parts += 1;
        }
    }
    assert_eq!(parts, 6);
}

/// The commands of the README that have this in them, all of their block, for a server elsewhere and a model of the
/// tests.
fn commands(part: &str, node: &Node) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let mut found = blocks.filter(|block| block.contains(part));
    let block = found.next().unwrap_or_else(|| panic!("the README shows {part}"));
    assert!(found.next().is_none(), "{part} stands in one block");
    assert!(block.contains("http://127.0.0.1:3000"));
    block
        .replace("http://127.0.0.1:3000", &node.url)
        .replace("openai::gpt-4o-mini", "compatible::test-model")
        .replace("curl ", "curl -sS -f ")
}

/// What a script says, by a shell in which `verbatim` is the one that is tested.
async fn run(script: &str, node: &Node) -> String {
    let program = verbatim();
    let folder = Path::new(program.as_std().get_program()).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let shell =
        Command::new("sh").args(["-e", "-c", script]).env("PATH", path).env("VERBATIM_SERVER", &node.url).output();
    let output = shell.await.unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[sqlx::test(migrations = false)]
async fn the_commands_of_the_readme_work_as_written(_: PgPoolOptions, options: PgConnectOptions) {
    let api = ModelApi::start(Behaviour::default());
    let model = api.url();
    let node = Node::start_with(&database(&options).await, &[("OPENAI_BASE_URL", model.as_str())]).await;
    let said = run(&commands("/prompts/versions -H", &node), &node).await;
    assert!(said.contains("\"status\":\"draft\"") && said.contains("\"is_active\":true"), "{said}");
    let said = run(&commands("/api/v1/calls", &node), &node).await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["recorded"], said["refused"].as_array().unwrap().len()), (&1.into(), 0), "{said}");
    let said = run(&commands("agent ask", &node), &node).await;
    let (asked, answer) = said.split_once('\n').unwrap();
    assert_eq!(asked, "Echo: Where is my parcel?");
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    assert_eq!((&answer["version"], &answer["answer"]), (&"1.0.0".into(), &asked.into()), "{answer}");
}

#[sqlx::test(migrations = false)]
async fn the_stream_of_the_readme_tells_of_a_promotion(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let block = commands("/prompts/events", &node);
    let line = block.lines().find(|line| line.contains("/prompts/events")).unwrap();
    let mut shell = Command::new("sh")
        .args(["-c", &format!("exec {line}")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(shell.stdout.take().unwrap()).lines();
    let mut hear = async |what: &str| {
        while !said.next_line().await.unwrap().expect("it goes on").contains(what) {}
    };
    hear("\"version\":\"1.1.0\"").await;
    hear("event: current").await;
    node.patch("backend_dev", "Shorter.").await.unwrap();
    hear("\"version\":\"1.1.1\"").await;
    shell.kill().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn the_examples_in_rust_see_a_promotion(_: PgPoolOptions, options: PgConnectOptions) {
    let url = database(&options).await;
    let node = Node::start(&url).await;
    let folder = tempfile::tempdir().unwrap();

    let (services, _listening) = in_process::connect(PgPoolOptions::new().connect(&url).await.unwrap()).await;
    let prompts = remote::connect(&node.url, &folder.path().join("prompts.json")).unwrap();
    assert_eq!(in_process::load(&services).await.unwrap().version.to_string(), "1.1.0");
    assert_eq!(remote::load(&prompts).await.unwrap().version.to_string(), "1.1.0");
    assert_eq!(remote::load(&prompts).await.unwrap().source, PromptSource::Cache);

    node.patch("backend_dev", "Shorter.").await.unwrap();
    eventually("the example in process sees it", async || {
        in_process::load(&services).await.unwrap().version.to_string() == "1.1.1"
    })
    .await;
    eventually("the example elsewhere sees it", async || &*remote::load(&prompts).await.unwrap().text == "Shorter.")
        .await;
}

#[sqlx::test(migrations = false)]
async fn the_example_in_python_is_sent_only_what_changed(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    // What the README shows, with more time for an answer: the machine of the tests may be busy.
    let example = std::fs::read_to_string(root().join("examples/agent.py")).unwrap();
    assert_eq!(example.matches("timeout=2)").count(), 1);
    let mut python = Command::new("python3")
        .args(["-c", &example.replace("timeout=2)", "timeout=10)"), "backend_dev"])
        .env("VERBATIM_URL", &node.url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tests need python3");
    let mut asked = python.stdin.take().unwrap();
    let mut said = BufReader::new(python.stdout.take().unwrap()).lines();
    let mut load = async || {
        asked.write_all(b"\n").await.unwrap();
        said.next_line().await.unwrap().expect("it said a version")
    };
    assert_eq!(load().await, "1.1.0");
    assert_eq!(load().await, "1.1.0");
    node.patch("backend_dev", "Shorter.").await.unwrap();
    assert_eq!(load().await, "1.1.1");
    let (_, metrics) = node.curl(&[], "/metrics").await.unwrap();
    let answers = |status: u16| {
        let line = metrics.lines().find(|line| {
            line.contains("/prompts/{agent_type}/active")
                && line.contains(&format!("status=\"{status}\""))
                && line.contains("_total")
        });
        line.and_then(|line| line.rsplit(' ').next()).unwrap_or("none").to_owned()
    };
    assert_eq!((answers(200), answers(304)), ("2".into(), "1".into()), "{metrics}");
    // The registry does not answer any more, then it is gone; the agent goes on.
    kill_process(node.pid(), Signal::STOP).unwrap();
    assert_eq!(load().await, "1.1.1");
    node.kill().await;
    assert_eq!(load().await, "1.1.1");
}

#[sqlx::test(migrations = false)]
async fn the_example_with_curl_is_sent_only_what_changed(_: PgPoolOptions, options: PgConnectOptions) {
    let node = Node::start(&database(&options).await).await;
    let folder = tempfile::tempdir().unwrap();
    let run = async || {
        let output = Command::new(root().join("examples/agent.sh"))
            .env("VERBATIM_URL", &node.url)
            .current_dir(folder.path())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let prompt = std::fs::read_to_string(folder.path().join("backend_dev.json")).unwrap();
        let prompt: serde_json::Value = serde_json::from_str(&prompt).unwrap();
        (String::from_utf8(output.stdout).unwrap().trim().to_owned(), prompt["version"].as_str().unwrap().to_owned())
    };
    assert_eq!(run().await, ("200".into(), "1.1.0".into()));
    assert_eq!(run().await, ("304".into(), "1.1.0".into()));
    node.patch("backend_dev", "Shorter.").await.unwrap();
    assert_eq!(run().await, ("200".into(), "1.1.1".into()));
}
