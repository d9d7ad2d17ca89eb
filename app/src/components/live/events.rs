//! The events of the registry, as one stream for all tabs of a browser.
//!
//! A browser opens few connections to a server (six, over HTTP/1.1), and a stream takes one of them for as long as it is open:
//! with one in every tab, the seventh page would wait for ever. So the tab that holds a lock has the stream, and passes on what
//! it hears. When it goes, the next one gets the lock and goes on from the last event that it knows.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use leptos::{
    prelude::{document, set_timeout, window},
    task::spawn_local,
};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    BroadcastChannel, EventSource, MessageEvent,
    js_sys::{Function, Promise, Reflect},
    wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen},
};

/// The lock and the channel.
const NAME: &str = "verbatim-events";

/// What the tab with the stream keeps for a tab that opens while something happens.
const KEPT: usize = 100;

/// How long a stream that the browser gave up stays closed.
const AGAIN: Duration = Duration::from_secs(5);

// Stable in browsers, and not yet in `web_sys`.
#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, granted: &Function) -> Result<Promise, JsValue>;
}

type Listener = Closure<dyn FnMut(MessageEvent)>;

/// A tab that follows the registry.
pub struct Events {
    /// The last event that the page showed when it was made. What is older is not for it.
    after: i64,
    /// What it heard since.
    heard: RefCell<Vec<i64>>,
    say: Box<dyn Fn(&str)>,
    /// Between the tabs; none when the browser has no locks, which it keeps from pages that came over plain HTTP.
    channel: Option<BroadcastChannel>,
    /// Where this tab's stream began; none while another tab has it.
    since: Cell<Option<i64>>,
    source: RefCell<Option<Source>>,
    /// What the stream brought, for tabs that ask.
    kept: RefCell<Vec<(i64, String)>>,
}

/// An open stream; it closes when it is dropped.
struct Source {
    stream: EventSource,
    _listeners: (Listener, Closure<dyn FnMut()>),
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stream.close();
    }
}

impl Events {
    /// Calls `say` with each event after `after`, as the server wrote it, for as long as the page is open.
    pub fn follow(after: i64, say: impl Fn(&str) + 'static) {
        let locks = Reflect::get(&window().navigator(), &"locks".into())
            .ok()
            .filter(JsValue::is_object)
            .map(JsCast::unchecked_into::<LockManager>);
        let events = Rc::new(Self {
            after,
            heard: RefCell::default(),
            say: Box::new(say),
            channel: locks.as_ref().and_then(|_| BroadcastChannel::new(NAME).ok()),
            since: Cell::new(None),
            source: RefCell::default(),
            kept: RefCell::default(),
        });
        match (locks, &events.channel) {
            (Some(locks), Some(channel)) => {
                let tab = events.clone();
                let listener = Listener::new(move |message: MessageEvent| {
                    if let Some(text) = message.data().as_string() {
                        tab.hear_tab(&text);
                    }
                });
                channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
                // As long as the page.
                listener.forget();
                // Something may have happened between the making of the page and now.
                events.post(&format!("behind {after}"));
                events.queue(&locks);
            }
            _ => events.follow_alone(),
        }
    }

    /// Waits for its turn to have the stream, and keeps it until the page is left.
    fn queue(self: &Rc<Self>, locks: &LockManager) {
        let tab = self.clone();
        let granted = Closure::<dyn FnMut(JsValue) -> Promise>::new(move |_| {
            let since = tab.last();
            tab.since.set(Some(since));
            tab.post(&format!("leads {since}"));
            tab.open(since);
            // The lock goes back when this is settled: never.
            Promise::new(&mut |_, _| {})
        });
        if let Ok(turn) = locks.request(NAME, granted.as_ref().unchecked_ref()) {
            // It is broken off when the page is left.
            spawn_local(async move {
                let _ = JsFuture::from(turn).await;
            });
        }
        granted.forget();
    }

    /// Without a lock each tab has a stream of its own, as long as somebody sees it.
    fn follow_alone(self: &Rc<Self>) {
        let tab = self.clone();
        let look = Closure::<dyn FnMut()>::new(move || {
            if document().hidden() {
                tab.source.take();
            } else {
                tab.open(tab.last());
            }
        });
        // It fails only for a target that is gone.
        let _ = document().add_event_listener_with_callback("visibilitychange", look.as_ref().unchecked_ref());
        look.forget();
        if !document().hidden() {
            self.open(self.last());
        }
    }

    /// Opens the stream after an event, in the place of one that is open.
    fn open(self: &Rc<Self>, after: i64) {
        let Ok(stream) = EventSource::new(&format!("/api/pages/events?after={after}")) else { return };
        let tab = self.clone();
        let on_change = Listener::new(move |message: MessageEvent| {
            if let (Ok(id), Some(text)) = (message.last_event_id().parse(), message.data().as_string()) {
                tab.pass_on(id, text);
            }
        });
        let (tab, broken) = (self.clone(), stream.clone());
        let on_error = Closure::<dyn FnMut()>::new(move || {
            // The browser connects again by itself, unless the answer was not a stream: then something in between spoke.
            if broken.ready_state() == EventSource::CLOSED {
                let (tab, broken) = (tab.clone(), broken.clone());
                set_timeout(move || tab.open_again(&broken), AGAIN);
            }
        });
        // They fail only when the stream is gone.
        let _ = stream.add_event_listener_with_callback("change", on_change.as_ref().unchecked_ref());
        let _ = stream.add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref());
        self.source.replace(Some(Source { stream, _listeners: (on_change, on_error) }));
    }

    fn open_again(self: &Rc<Self>, broken: &EventSource) {
        let is_current = self.source.borrow().as_ref().is_some_and(|source| source.stream == *broken);
        if is_current {
            self.open(self.last());
        }
    }

    /// What the stream says: for this tab and for all others.
    fn pass_on(&self, id: i64, text: String) {
        self.post(&format!("event {id} {text}"));
        self.hear(id, &text);
        let mut kept = self.kept.borrow_mut();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((id, text));
    }

    /// What another tab says: `event {id} {text}`, `leads {id}` or `behind {id}`. A tab that was opened before the server was
    /// renewed may say what this one does not know.
    fn hear_tab(self: &Rc<Self>, text: &str) {
        let mut words = text.splitn(3, ' ');
        let (Some(kind), Some(Ok(id))) = (words.next(), words.next().map(str::parse::<i64>)) else { return };
        match (kind, self.since.get(), words.next()) {
            ("event", _, Some(text)) => self.hear(id, text),
            ("leads", _, _) if self.last() < id => self.post(&format!("behind {}", self.last())),
            ("behind", Some(since), _) => {
                for (kept, text) in self.kept.borrow().iter().filter(|(kept, _)| *kept > id) {
                    self.post(&format!("event {kept} {text}"));
                }
                if id < since {
                    self.since.set(Some(id));
                    self.open(id);
                }
            }
            _ => {}
        }
    }

    /// Each event is heard once.
    fn hear(&self, id: i64, text: &str) {
        let is_new = id > self.after && !self.heard.borrow().contains(&id);
        if is_new {
            self.heard.borrow_mut().push(id);
            (self.say)(text);
        }
    }

    fn last(&self) -> i64 {
        self.heard.borrow().iter().copied().fold(self.after, i64::max)
    }

    fn post(&self, text: &str) {
        if let Some(channel) = &self.channel {
            // It fails only for a channel that is closed.
            let _ = channel.post_message(&text.into());
        }
    }
}
