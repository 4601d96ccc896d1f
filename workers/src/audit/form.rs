//! How collectors take entries.

use domain::audit::SinkFormat;
use projections::audit::Shown;
use serde_json::json;

/// Entries in the form of one collector.
pub(super) struct Batch {
    format: SinkFormat,
    text: String,
}

impl Batch {
    pub fn new(format: SinkFormat) -> Self {
        Self { format, text: String::new() }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    pub fn add(&mut self, shown: &Shown) {
        let entry = shown.to_json();
        match self.format {
            SinkFormat::Json => {
                self.text.push(if self.text.is_empty() { '[' } else { ',' });
                self.text.push_str(&entry.to_string());
            }
            SinkFormat::Ndjson => {
                self.text.push_str(&entry.to_string());
                self.text.push('\n');
            }
            SinkFormat::Splunk => {
                let at = shown.entry.recorded_at;
                let event = json!({
                    "time": at.timestamp_millis() as f64 / 1000.0,
                    "source": "millrace",
                    "sourcetype": "millrace:audit",
                    "event": entry,
                });
                self.text.push_str(&event.to_string());
            }
        }
    }

    /// The body of a request.
    pub fn finish(mut self) -> String {
        if self.format == SinkFormat::Json {
            self.text.push(']');
        }
        self.text
    }
}

pub(super) const fn content_type(format: SinkFormat) -> &'static str {
    match format {
        SinkFormat::Json | SinkFormat::Splunk => "application/json",
        SinkFormat::Ndjson => "application/x-ndjson",
    }
}
