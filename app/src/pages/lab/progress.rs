//! A run that goes on, followed as it does.

use std::time::Duration;

use leptos::prelude::*;
use send_wrapper::SendWrapper;
use web_sys::wasm_bindgen::{JsCast, closure::Closure};

/// When a stream that something in between has ended is opened again.
const AGAIN: Duration = Duration::from_secs(2);

/// Follows a run: the sentence changes as it goes on, and the page is read anew at its end.
#[island]
pub fn Progress(
    /// The run.
    id: String,
    /// How far it is, as the server says it.
    said: String,
) -> impl IntoView {
    let said = RwSignal::new(said);
    // How often the stream was opened anew.
    let opened = RwSignal::new(0_u32);
    Effect::new(move || {
        opened.track();
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
        let broken = source.clone();
        let on_error = Closure::<dyn FnMut()>::new(move || {
            // The browser connects again by itself, unless the answer was not a stream: then something in between spoke.
            if broken.ready_state() == web_sys::EventSource::CLOSED {
                set_timeout(
                    move || {
                        // The page may be gone by then.
                        opened.try_update(|times| *times += 1);
                    },
                    AGAIN,
                );
            }
        });
        source.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let kept = SendWrapper::new((source, on_message, on_error));
        on_cleanup(move || kept.0.close());
    });
    view! { <span aria-live="off">{move || said.get()}</span> }
}
