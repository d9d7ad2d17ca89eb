use proptest::prelude::*;

use super::*;

/// On a busy machine as well, no comparison here is to be simplified but those that are about that.
const LONG: Duration = Duration::from_secs(3600);

fn diff<'a>(base: &'a str, head: &'a str) -> Diff<'a> {
    Diff::new(base, head, DiffOptions { time_limit: LONG, ..DiffOptions::default() })
}

/// The comparison as text: a sign and the line, and for a rewritten line both sides with the changed words in brackets.
fn drawn(diff: &Diff<'_>) -> String {
    let marked = |spans: Vec<Span<'_>>| -> String {
        spans
            .into_iter()
            .map(|span| {
                if span.is_changed {
                    format!("[{}]", span.text.trim_end_matches('\n'))
                } else {
                    span.text.trim_end_matches('\n').into()
                }
            })
            .collect()
    };
    let mut text = String::new();
    for row in &diff.rows {
        let line = match *row {
            Row::Same { head, .. } => format!("  {}", diff.head[head as usize].trim_end()),
            Row::Changed { base, head } => {
                let (base, head) = (diff.base[base as usize], diff.head[head as usize]);
                let changes = words::changes_until(base, head, Instant::now() + LONG);
                format!("~ {}\n~ {}", marked(changes.base), marked(changes.head))
            }
            Row::Removed { base, moved_to } => {
                format!("{} {}", if moved_to.is_some() { "<" } else { "-" }, diff.base[base as usize].trim_end())
            }
            Row::Added { head, moved_from } => {
                format!("{} {}", if moved_from.is_some() { ">" } else { "+" }, diff.head[head as usize].trim_end())
            }
        };
        text += &line;
        text.push('\n');
    }
    text
}

#[test]
fn one_inserted_line_marks_one_line() {
    let base = "one\ntwo\nthree\n";
    let head = "one\nnew\ntwo\nthree\n";
    assert_eq!(drawn(&diff(base, head)), "  one\n+ new\n  two\n  three\n");
    assert_eq!(diff(base, head).stats, DiffStats { added: 1, removed: 0, moved: 0 });
    assert!(diff(base, base).is_empty());
}

#[test]
fn a_rewritten_line_shows_its_words() {
    let base = "Keep.\nAnswer in plain words and short sentences.\n";
    let head = "Keep.\nAnswer in plain words and very long sentences.\nNever guess.\n";
    assert_eq!(
        drawn(&diff(base, head)),
        "  Keep.\n~ Answer in plain words and [short] sentences.\n~ Answer in plain words and [very long] sentences.\n+ Never guess.\n"
    );
}

#[test]
fn lines_that_share_little_are_not_one_line() {
    let drawn = drawn(&diff("Write tests first.\n", "Deploy at night, never on Friday.\n"));
    assert_eq!(drawn, "- Write tests first.\n+ Deploy at night, never on Friday.\n");
}

#[test]
fn the_best_partner_is_found_not_the_first() {
    let base = "Review every pull request within a day.\n";
    let head = "Something else altogether stands here.\nReview every pull request within two days.\n";
    assert!(drawn(&diff(base, head)).starts_with("+ Something else"));
    assert!(drawn(&diff(base, head)).contains("~ Review every pull request within [a day].\n"));
}

#[test]
fn a_block_that_moved_is_said_to_have_moved() {
    let block = "## Style\nWrite short sentences and name things as the field does.\n";
    let base = format!("{block}one\ntwo\nthree\n");
    let head = format!("one\ntwo\nthree\n{block}");
    let diff = diff(&base, &head);
    assert_eq!(diff.stats, DiffStats { added: 2, removed: 2, moved: 2 });
    assert!(drawn(&diff).starts_with("< ## Style\n< Write"), "{}", drawn(&diff));
}

#[test]
fn a_short_line_found_elsewhere_has_not_moved() {
    let diff = diff("end\none\ntwo\n", "one\ntwo\nend\n");
    assert_eq!(diff.stats.moved, 0);
}

#[test]
fn white_space_can_be_ignored() {
    let (base, head) = ("  a b\nc\n", "a   b\nc  \n");
    assert_eq!(diff(base, head).stats.added, 2);
    let options = DiffOptions { ignore_whitespace: true, time_limit: LONG };
    assert!(Diff::new(base, head, options).is_empty());
}

#[test]
fn unchanged_stretches_fold_and_open() {
    let base: String = (1..=40).map(|n| format!("line {n}\n")).collect();
    let head = base.replace("line 20\n", "line twenty\n");
    let diff = diff(&base, &head);
    let folded = fold(&diff.rows, 3, |_| false);
    assert_eq!(
        folded,
        [
            Stretch::Folded(Fold { rows: 0..16, first_line: 1 }),
            Stretch::Shown(16..23),
            Stretch::Folded(Fold { rows: 23..40, first_line: 24 }),
        ]
    );
    let opened = fold(&diff.rows, 3, |line| line == 1);
    assert_eq!(opened, [Stretch::Shown(0..23), Stretch::Folded(Fold { rows: 23..40, first_line: 24 })]);
    assert_eq!(fold(&diff.rows[16..23], 3, |_| false), [Stretch::Shown(0..7)]);
}

#[test]
fn hostile_texts_stay_within_the_deadline() {
    let limit = Duration::from_millis(300);
    let numbers = |start: usize| (start..start + 90_000).map(|n| format!("{n:x}\n")).collect::<String>();
    let mixed = |seed: u64| {
        let mut state = seed;
        (0..150_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if state >> 63 == 0 { "a\n" } else { "b\n" }
            })
            .collect::<String>()
    };
    let words = |word: &str| format!("{word} ").repeat(100_000);
    for (name, base, head) in [
        ("nothing in common", numbers(0), numbers(1_000_000)),
        ("two lines in any order", mixed(1), mixed(2)),
        ("one line repeated", "x\n".repeat(300_000), "x\n\n".repeat(200_000)),
        ("one line of 600 kB", words("alpha"), words("omega")),
        ("blank lines", "\n".repeat(500_000), "\n".repeat(400_000) + &" \n".repeat(100_000)),
        ("long lines of the same words in another order", shuffled(1, 262, None), shuffled(2, 262, None)),
        ("the same in blocks", shuffled(1, 262, Some(100)), shuffled(2, 262, Some(100))),
    ] {
        let begin = on_processor();
        let diff = Diff::new(&base, &head, DiffOptions { ignore_whitespace: false, time_limit: limit });
        let lines = on_processor() - begin;
        let mut words = Words::within(limit);
        for row in &diff.rows {
            if let Row::Changed { base, head } = *row {
                words.changes(diff.base[base as usize], diff.head[head as usize]);
            }
        }
        let words = on_processor() - begin - lines;
        // In a debug build each limit may be passed by what was begun before it, and no more.
        assert!(lines < 12 * limit && words < 3 * limit, "{name}: {lines:?}, then {words:?}");
        assert_eq!(sides(&diff), (base, head), "{name}");
    }
}

/// How long this thread was on a processor: time in which others had it is not what the comparison took.
fn on_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap()
}

/// Lines of 3,990 bytes, each with the same words in an order of its own. With blocks, a line that both texts have stands after
/// every so many lines.
fn shuffled(seed: u64, lines: usize, block: Option<usize>) -> String {
    let mut state = seed;
    let mut text = String::new();
    for line in 0..lines {
        if block.is_some_and(|block| line % block == 0) {
            text += &format!("The block at {line}.\n");
        }
        let mut words: Vec<usize> = (0..798).collect();
        for index in (1..words.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            words.swap(index, (state >> 33) as usize % (index + 1));
        }
        text.extend(words.into_iter().map(|word| format!("w{word:03x} ")));
        text.push('\n');
    }
    text
}

#[test]
fn lines_past_the_time_that_they_share_are_marked_as_a_whole() {
    let (base, head) = (shuffled(1, 1, None), shuffled(2, 1, None));
    let mut words = Words::within(Duration::from_millis(1));
    while !words.is_simplified() {
        words.changes(&base, &head);
    }
    let change = words.changes("one two three", "one 2 three");
    let all = |text| vec![Span { text, is_changed: true }];
    assert_eq!(change, WordChange { base: all("one two three"), head: all("one 2 three") });
}

/// Both sides, put together again from the rows.
fn sides(diff: &Diff<'_>) -> (String, String) {
    let (mut base_text, mut head_text) = (String::new(), String::new());
    for row in &diff.rows {
        match *row {
            Row::Same { base, head } | Row::Changed { base, head } => {
                base_text += diff.base[base as usize];
                head_text += diff.head[head as usize];
            }
            Row::Removed { base, .. } => base_text += diff.base[base as usize],
            Row::Added { head, .. } => head_text += diff.head[head as usize],
        }
    }
    (base_text, head_text)
}

/// Applies a patch as `patch(1)` does, without its tolerance.
fn apply(patch: &str, base: &str) -> String {
    let old: Vec<&str> = base.split_inclusive('\n').collect();
    let mut new = String::new();
    let mut next = 0;
    let mut lines = patch.split_inclusive('\n').skip(2).peekable();
    while let Some(line) = lines.next() {
        if let Some(header) = line.strip_prefix("@@ -") {
            let (start, length) =
                header.split(' ').next().unwrap().split_once(',').unwrap_or((header.split(' ').next().unwrap(), "1"));
            let start: usize = start.parse().unwrap();
            let start = if length == "0" { start } else { start - 1 };
            new.extend(old[next..start].iter().copied());
            next = start;
            continue;
        }
        if line.starts_with('\\') {
            continue;
        }
        let (sign, content) = line.split_at(1);
        let is_last = lines.peek().is_some_and(|next| next.starts_with('\\'));
        let content = if is_last { content.strip_suffix('\n').unwrap() } else { content };
        if sign != "+" {
            assert_eq!(old[next], content);
            next += 1;
        }
        if sign != "-" {
            new += content;
        }
    }
    new.extend(old[next..].iter().copied());
    new
}

#[test]
fn a_patch_is_as_diffutils_writes_it() {
    let patch = unified_patch(("a/x", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"), ("b/x", "1\n2\n3\n4\n5\nsix\n7\n8\n9"));
    assert_eq!(
        patch,
        "--- a/x\n+++ b/x\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n-9\n+9\n\\ No newline at end of file\n"
    );
    assert_eq!(unified_patch(("a", "same\n"), ("b", "same\n")), "");
}

prop_compose! {
    fn text()(lines in prop::collection::vec("(a|b|c d|é f g|  |the same words here)(\n|\r\n)", 0..30), last in "|x|a") -> String {
        lines.concat() + &last
    }
}

proptest! {
    #[test]
    fn both_sides_come_out_of_the_rows(base in text(), head in text()) {
        let diff = diff(&base, &head);
        prop_assert_eq!(sides(&diff), (base.clone(), head.clone()));
        for row in &diff.rows {
            if let Row::Same { base, head } = *row {
                prop_assert_eq!(diff.base[base as usize], diff.head[head as usize]);
            }
        }
    }

    #[test]
    fn a_patch_makes_the_base_the_head(base in text(), head in text()) {
        let patch = unified_patch(("a", &base), ("b", &head));
        if base == head {
            prop_assert_eq!(patch, "");
        } else {
            prop_assert_eq!(apply(&patch, &base), head);
        }
    }

    #[test]
    fn words_join_to_their_lines(base in "[a-c é.,_]{0,40}", head in "[a-c é.,_]{0,40}") {
        let changes = word_changes(&base, &head);
        let joined = |spans: &[Span<'_>]| spans.iter().map(|span| span.text).collect::<String>();
        prop_assert_eq!(joined(&changes.base), base.as_str());
        prop_assert_eq!(joined(&changes.head), head.as_str());
    }

    #[test]
    fn folds_and_what_is_shown_cover_every_row(base in text(), head in text(), context in 0..4_usize) {
        let diff = diff(&base, &head);
        let mut next = 0;
        for stretch in fold(&diff.rows, context, |_| false) {
            let rows = match stretch {
                Stretch::Shown(rows) => rows,
                Stretch::Folded(fold) => {
                    prop_assert!(diff.rows[fold.rows.clone()].iter().all(|row| row.is_same()));
                    fold.rows
                }
            };
            prop_assert_eq!(rows.start, next);
            next = rows.end;
        }
        prop_assert_eq!(next, diff.rows.len());
    }

    #[test]
    fn moved_lines_are_the_same_lines(base in text(), head in text()) {
        let diff = diff(&base, &head);
        for row in &diff.rows {
            if let Row::Removed { base, moved_to: Some(head) } = *row {
                prop_assert_eq!(diff.base[base as usize], diff.head[head as usize]);
            }
        }
    }
}
