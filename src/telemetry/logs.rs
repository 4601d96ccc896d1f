use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Format, Log};

pub fn filter(log: &Log) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(&log.level)
}

/// One line per event. As JSON it carries the fields of every span around it, such as the request's
/// and the trace's id, outermost first.
pub fn lines<S, W>(format: Format, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        Format::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed()
        }
        Format::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_carries_the_ids_of_its_request_from_however_deep() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = super::lines(Format::Json, move || writer.clone());
        let log = Log { level: "info,quiet=off".to_owned(), format: Format::Json };
        let subscriber = tracing_subscriber::registry().with(filter(&log).unwrap()).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let _request = tracing::info_span!("request", request_id = "r-1").entered();
            let _inner = tracing::info_span!("inner").entered();
            tracing::info!(scan = 7, "done");
            tracing::debug!("not at this level");
            tracing::error!(target: "quiet", "nor this");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["message"], &line["scan"]), (&"done".into(), &7.into()));
        assert_eq!(line["spans"][0]["request_id"], "r-1");
    }
}
