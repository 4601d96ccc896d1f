use std::collections::BTreeMap;

use super::{Audit, AuditEvent, ExportFormat, MAX_SINKS, SinkFormat};
use crate::{Decision, Timestamp, ids::SinkId};

const MAX_URL_BYTES: usize = 2000;
const MAX_HEADER_BYTES: usize = 64;

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub format: ExportFormat,
    pub filter: BTreeMap<String, String>,
    pub installation: bool,
    pub personal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCommand {
    Export(Export, Timestamp),
    /// Whether the address may be asked at all is known when it is.
    SetSink {
        sink_id: SinkId,
        url: String,
        format: SinkFormat,
        header: String,
        /// Sealed. None keeps the one that there is, as long as it goes to the same place: nobody is to
        /// learn it by having it sent elsewhere.
        token: Option<String>,
        now: Timestamp,
    },
    RemoveSink {
        sink_id: SinkId,
        now: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error("there is no such collector")]
    UnknownSink,
    #[error("an organisation has at most {MAX_SINKS} collectors")]
    TooManySinks,
    #[error("a collector's URL has at most {MAX_URL_BYTES} characters")]
    Url,
    #[error("a header has 1 to {MAX_HEADER_BYTES} letters, digits and hyphens")]
    Header,
}

pub(super) fn decide(
    state: &Audit,
    command: AuditCommand,
) -> Result<Decision<AuditEvent>, AuditError> {
    match command {
        AuditCommand::Export(export, now) => {
            let Export { format, filter, installation, personal } = export;
            let exported_at = now;
            let event =
                AuditEvent::Exported { format, filter, installation, personal, exported_at };
            Ok(Decision::one(event))
        }
        AuditCommand::SetSink { sink_id, url, format, header, token, now } => {
            let known = state.sinks.get(&sink_id.to_string());
            if known.is_none() && state.sinks.len() >= MAX_SINKS {
                return Err(AuditError::TooManySinks);
            }
            if url.len() > MAX_URL_BYTES {
                return Err(AuditError::Url);
            }
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if !(1..=MAX_HEADER_BYTES).contains(&header.len()) || !header.bytes().all(fits) {
                return Err(AuditError::Header);
            }
            let same = known.filter(|known| known.url == url && known.header == header);
            let token = token.or_else(|| same.and_then(|known| known.token.clone()));
            let set_at = now;
            Ok(Decision::one(AuditEvent::SinkSet { sink_id, url, format, header, token, set_at }))
        }
        AuditCommand::RemoveSink { sink_id, now } => {
            if !state.sinks.contains_key(&sink_id.to_string()) {
                return Err(AuditError::UnknownSink);
            }
            Ok(Decision::one(AuditEvent::SinkRemoved { sink_id, removed_at: now }))
        }
    }
}
