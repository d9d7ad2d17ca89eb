//! A prompt as a model's provider would show it: Markdown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::html::ServerHtml;

/// How deep anything may stand in anything else. What goes deeper is shown at this depth: no person nests so far, and reading
/// HTML takes time by its depth times its length.
const MAX_DEPTH: usize = 100;

/// Renders Markdown. Tags in a prompt are meant for the model, so they are shown as they stand and never become HTML; what is
/// left is sanitised all the same. Pictures become their description: nothing is fetched from elsewhere.
///
/// A long text takes a processor for a while: call it aside.
pub fn markdown(text: &str) -> ServerHtml {
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
    ServerHtml(ammonia::clean(&html))
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
    fn hostile_texts_are_rendered_in_time() {
        const LENGTH: usize = 1024 * 1024;
        let repeated = |piece: &str| piece.repeat(LENGTH / piece.len());
        let texts = [
            repeated(">"),
            repeated("> "),
            repeated("- "),
            repeated("1. "),
            repeated("["),
            repeated("![a]("),
            repeated("*"),
            repeated("*a **b "),
            repeated("_a"),
            repeated("<"),
            repeated("<a "),
            repeated("<!--"),
            repeated("`a``"),
            repeated("~~a"),
            repeated("|a\n"),
            repeated("a|b\n-|-\n"),
            repeated("[a]: b\n"),
        ];
        for text in texts {
            let begun = std::time::Instant::now();
            markdown(&text);
            let took = begun.elapsed();
            assert!(took.as_secs() < 30, "{took:?} for {}…", &text[..20]);
        }
    }
}
