//! A prompt as a model's provider would show it: Markdown.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::html::ServerHtml;

/// Renders Markdown. Tags in a prompt are meant for the model, so they are shown as they stand and never become HTML; what is
/// left is sanitised all the same. Pictures become their description: nothing is fetched from elsewhere.
pub fn markdown(text: &str) -> ServerHtml {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let events = Parser::new_ext(text, options).map(|event| match event {
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
}
