//! Server-sent events: the framing of every stream.

use super::timeline::EventKind;

/// The events of a response while they are written, one after the other into one buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// The bytes.
    pub body: Vec<u8>,
    /// Where each event ends, and what it is.
    pub events: Vec<(usize, EventKind)>,
}

impl Draft {
    /// A draft with room for so many events of about this length.
    pub(crate) fn with_capacity(events: usize, length: usize) -> Self {
        Self { body: Vec::with_capacity(events.saturating_mul(length)), events: Vec::with_capacity(events) }
    }

    /// Ends the event whose bytes were written since the last end.
    pub(crate) fn end(&mut self, kind: EventKind) {
        self.events.push((self.body.len(), kind));
    }

    /// Writes an event of one line of data, framed as every client accepts it: `data: `, the line, a
    /// blank line.
    pub(crate) fn data(&mut self, kind: EventKind, write: impl FnOnce(&mut Vec<u8>)) {
        self.body.extend_from_slice(b"data: ");
        write(&mut self.body);
        self.body.extend_from_slice(b"\n\n");
        self.end(kind);
    }

    /// Writes the fields of an event, a `data:` line for each line of the data.
    pub(crate) fn fields(&mut self, fields: &[(&str, &str)], kind: EventKind) {
        for (name, value) in fields {
            for line in value.split('\n') {
                self.body.extend_from_slice(name.as_bytes());
                self.body.extend_from_slice(b": ");
                self.body.extend_from_slice(line.as_bytes());
                self.body.push(b'\n');
            }
        }
        self.body.push(b'\n');
        self.end(kind);
    }

    /// Writes a comment of one line.
    pub(crate) fn comment(&mut self, text: &str) {
        self.body.extend_from_slice(b": ");
        self.body.extend_from_slice(text.as_bytes());
        self.body.extend_from_slice(b"\n\n");
        self.end(EventKind::Other);
    }

    /// Takes the last line feed back.
    pub(crate) fn trim_line_feed(&mut self) {
        self.body.pop();
        if let Some((end, _)) = self.events.last_mut() {
            *end = self.body.len();
        }
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
        self.end(EventKind::Other);
    }
}
