//! A prompt as a model's provider would show it: Markdown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::escaped;
use crate::html::ServerHtml;

/// How deep anything may stand in anything else. What goes deeper is shown at this depth: no person nests so far, and reading
/// HTML takes time by its depth times its length.
const MAX_DEPTH: usize = 100;

/// The longest text that is rendered, in bytes: that of a prompt. With the values of its variables it can be longer.
const MAX_TEXT: usize = 1024 * 1024;

/// The longest HTML that is sanitised, in bytes. A text that is nothing but `&` or `<` is written with five times its length, and
/// each of them is read one by one.
const MAX_HTML: usize = 2 * 1024 * 1024;

/// How many bytes may be looked at to escape a text again, which the sanitiser (html5ever 0.40) does by looking, from each
/// character that is escaped, for the next tag, `<` or `>`. So the time that takes grows with the square of a text that is
/// nothing but `&`. A tenth of a second.
const MAX_LOOKED_AT: usize = 4 * 1024 * 1024 * 1024;

/// How far the content of a line may be indented, in spaces and marks of quotes. Reading Markdown takes time by the lines times
/// what they may stand in: nothing is nested deeper than the lines that begin it are indented.
const MAX_INDENT: usize = 1_024;

/// Renders Markdown. Tags in a prompt are meant for the model, so they are shown as they stand and never become HTML; what is
/// left is sanitised all the same. Pictures become their description: nothing is fetched from elsewhere.
///
/// What would take long is shown as it is, and says so. A long text takes a processor for a while all the same: call it aside.
pub fn markdown(text: &str) -> ServerHtml {
    let html = is_quick(text).then(|| rendered(text));
    let html = html.filter(|html| html.len() <= MAX_HTML && looked_at(html) <= MAX_LOOKED_AT);
    ServerHtml(html.map_or_else(|| as_it_is(text), |html| ammonia::clean(&html)))
}

fn is_quick(text: &str) -> bool {
    let is_before_content =
        |byte: &u8| matches!(byte, b' ' | b'\t' | b'>' | b'-' | b'*' | b'+' | b'0'..=b'9' | b'.' | b')');
    let is_indent = |byte: &u8| matches!(byte, b' ' | b'\t' | b'>');
    let indent = |line: &str| line.bytes().take_while(is_before_content).filter(is_indent).count();
    text.len() <= MAX_TEXT && text.split(['\n', '\r']).all(|line| indent(line) <= MAX_INDENT)
}

/// The bytes that are looked at to escape what stands between the tags; see [`MAX_LOOKED_AT`].
fn looked_at(html: &str) -> usize {
    let bytes = html.as_bytes();
    let (mut end, mut sum) = (bytes.len(), 0_usize);
    for (at, byte) in bytes.iter().enumerate().rev() {
        let rest = &bytes[at..];
        match byte {
            b'<' | b'>' => end = at,
            b'&' if rest.starts_with(b"&lt;") || rest.starts_with(b"&gt;") => end = at,
            // The latter begins a space that does not break, and other characters.
            b'&' | 0xC2 => sum = sum.saturating_add(end - at),
            _ => {}
        }
    }
    sum
}

/// A text that is not rendered.
fn as_it_is(text: &str) -> String {
    format!(
        "<p class=\"notice\" role=\"status\">This text is too long, or too deeply nested, to be rendered as Markdown. It is shown \
         as it is, with its values filled in.</p><pre>{}</pre>",
        escaped(text),
    )
}

fn rendered(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut depth = 0;
    let is_kept = |event: &Event<'_>| match event {
        Event::Start(_) => {
            depth += 1;
            depth <= MAX_DEPTH
        }
        Event::End(_) => {
            depth -= 1;
            depth < MAX_DEPTH
        }
        _ => true,
    };
    let events = Parser::new_ext(text, options).filter(is_kept).map(|event| match event {
        Event::Html(tag) | Event::InlineHtml(tag) => Event::Text(tag),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        Event::TaskListMarker(is_done) => Event::Text(if is_done { "☑ ".into() } else { "☐ ".into() }),
        other => other,
    });
    let mut html = String::with_capacity(text.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_shown_and_never_run() {
        let html = markdown("# Role\n\n<context>a & b</context>\n\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![pic](http://x/y.png)").0;
        assert!(html.contains("<h1>Role</h1>"), "{html}");
        assert!(html.contains("&lt;context&gt;a &amp; b&lt;/context&gt;"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
        for bad in ["<script", "javascript:", "<img", "<context"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_stays_text() {
        let html = markdown(&format!("{} deep\n\nafter", ">".repeat(1_000))).0;
        assert_eq!(html.matches("<blockquote>").count(), MAX_DEPTH, "{html}");
        assert!(html.contains("deep") && html.ends_with("<p>after</p>\n"), "{html}");
        let html = markdown(&format!("{} deep\n\n# after", ">".repeat(99))).0;
        assert_eq!(html.matches("<blockquote>").count(), 99, "{html}");
        assert!(html.contains("<p>deep</p>") && html.contains("<h1>after</h1>"), "{html}");
    }

    #[test]
    fn what_would_take_long_is_shown_as_it_is() {
        let line = "# Role\n\nSay **why** & how, in one short sentence.\n\n";
        let prompt = line.repeat(MAX_TEXT / line.len());
        assert!(markdown(&prompt).0.contains("<h1>Role</h1>"));
        let deep = "- ".repeat(MAX_INDENT + 1);
        for text in [
            "&".repeat(MAX_TEXT),
            "&".repeat(MAX_TEXT / 4),
            "«".repeat(MAX_TEXT / 8),
            "<".repeat(MAX_TEXT),
            format!("{prompt}{prompt}"),
            format!("a\r{deep}"),
        ] {
            let html = markdown(&text).0;
            let (notice, shown) = html.split_once("<pre>").unwrap();
            assert!(notice.contains("It is shown as it is") && !notice.contains("<h1>"), "{notice}");
            assert!(html_escape::decode_html_entities(shown.strip_suffix("</pre>").unwrap()) == text);
        }
        let paragraphs = format!("{}\n\n", "«R&D» ".repeat(100)).repeat(1_000);
        assert!(!markdown(&paragraphs).0.contains("It is shown as it is"), "what stands in short paragraphs is quick");
        // A line of dashes is not deep.
        assert!(markdown(&"-".repeat(MAX_INDENT * 2)).0.contains("<hr>"));
    }
}
