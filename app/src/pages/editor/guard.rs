//! The question before leaving.

use leptos::{ev, prelude::*};
use web_sys::wasm_bindgen::{JsCast, closure::Closure};

/// As long as something is not saved, leaving asks first. Links of the site are followed as whole pages then, which the browser
/// asks about; a change of the page from within would not be noticed.
pub fn guard(is_dirty: RwSignal<bool>, keep: impl Fn() + 'static) {
    let leaving = window_event_listener(ev::beforeunload, move |event| {
        // What was written in the last moment is kept as well.
        keep();
        if is_dirty.get_untracked() {
            event.prevent_default();
        }
    });
    let follow = Closure::<dyn FnMut(web_sys::MouseEvent)>::new(move |event: web_sys::MouseEvent| {
        if !is_dirty.get_untracked() || event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        let link = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
            .and_then(|target| target.closest("a[href]").ok().flatten())
            .and_then(|link| link.dyn_into::<web_sys::HtmlAnchorElement>().ok());
        if let Some(link) = link.filter(|link| link.target().is_empty() && link.hash().is_empty()) {
            event.prevent_default();
            event.stop_immediate_propagation();
            let _ = window().location().set_href(&link.href());
        }
    });
    let listener = follow.as_ref().clone();
    // Before the router hears of it.
    let _ = window().add_event_listener_with_callback_and_bool("click", listener.unchecked_ref(), true);
    let held = StoredValue::new_local(follow);
    on_cleanup(move || {
        leaving.remove();
        let _ = held.try_with_value(|follow| {
            window().remove_event_listener_with_callback_and_bool("click", follow.as_ref().unchecked_ref(), true)
        });
    });
}
