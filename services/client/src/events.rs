//! Server-sent events, as far as the registry uses them (WHATWG HTML, section 9.2.6): fields `event`, `id` and `data`, and comments.

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its kind; `message` when it has none.
    pub kind: String,
    /// Where it stands in its stream, if it says so.
    pub id: Option<String>,
    /// What it says.
    pub data: String,
}

/// Makes events of the pieces in which a stream arrives.
#[derive(Debug, Default)]
pub struct EventLines {
    /// The beginning of a line that has not ended yet.
    rest: Vec<u8>,
    event: ServerEvent,
}

/// A line that never ends is not an event.
const MAX_LINE: usize = 8 * 1024 * 1024;

impl EventLines {
    /// Takes a piece, and gives the events that end in it.
    pub fn push(&mut self, piece: &[u8]) -> Vec<ServerEvent> {
        self.rest.extend_from_slice(piece);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.rest[start..].iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&self.rest[start..start + length]).into_owned();
            start += length + 1;
            events.extend(self.line(line.strip_suffix('\r').unwrap_or(&line)));
        }
        self.rest.drain(..start);
        if self.rest.len() > MAX_LINE {
            self.rest.clear();
        }
        events
    }

    fn line(&mut self, line: &str) -> Option<ServerEvent> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let is_any = !event.data.is_empty();
            let kind = if event.kind.is_empty() { "message".to_owned() } else { event.kind };
            return is_any.then_some(ServerEvent { kind, id: event.id, data: event.data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str =
        ": hello\n\nevent: active\ndata: {\"a\":1}\n\nid: 7\nevent:end\r\ndata:one\r\ndata: two\r\n\r\ndata: cut";

    fn expected() -> Vec<ServerEvent> {
        let event = |kind: &str, id: Option<&str>, data: &str| ServerEvent {
            kind: kind.into(),
            id: id.map(str::to_owned),
            data: data.into(),
        };
        vec![event("active", None, "{\"a\":1}"), event("end", Some("7"), "one\ntwo")]
    }

    #[test]
    fn events_are_read_and_comments_are_not() {
        assert_eq!(EventLines::default().push(STREAM.as_bytes()), expected());
        assert_eq!(EventLines::default().push(b"data: x\n\n")[0].kind, "message");
    }

    proptest! {
        #[test]
        fn pieces_are_cut_anywhere(cuts in prop::collection::vec(0..STREAM.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut lines = EventLines::default();
            let (mut events, mut start) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                events.extend(lines.push(&STREAM.as_bytes()[start..cut]));
                start = cut;
            }
            prop_assert_eq!(events, expected());
        }
    }
}
