//! A run that goes on, followed as it does.

use leptos::prelude::*;
use send_wrapper::SendWrapper;
use web_sys::wasm_bindgen::{JsCast, closure::Closure};

/// Follows a run: the sentence changes as it goes on, and the page is read anew at its end.
#[island]
pub fn Progress(
    /// The run.
    id: String,
    /// How far it is, as the server says it.
    said: String,
) -> impl IntoView {
    let said = RwSignal::new(said);
    Effect::new(move || {
        let Ok(source) = web_sys::EventSource::new(&format!("/lab/runs/{id}/progress")) else { return };
        let bar = document().get_element_by_id("run-bar");
        let on_message = Closure::<dyn FnMut(web_sys::MessageEvent)>::new(move |message: web_sys::MessageEvent| {
            let Some(text) = message.data().as_string() else { return };
            // Done, calls, and the sentence.
            let mut parts = text.splitn(3, ' ');
            let (done, calls, sentence) = (parts.next(), parts.next(), parts.next());
            if let (Some(bar), Some(done), Some(calls)) = (&bar, done, calls) {
                let _ = bar.set_attribute("value", done);
                let _ = bar.set_attribute("max", calls);
            }
            match sentence {
                Some("over") => {
                    let _ = window().location().reload();
                }
                Some(sentence) => said.set(sentence.to_owned()),
                None => {}
            }
        });
        source.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let kept = SendWrapper::new((source, on_message));
        on_cleanup(move || kept.0.close());
    });
    view! { <span aria-live="off">{move || said.get()}</span> }
}
