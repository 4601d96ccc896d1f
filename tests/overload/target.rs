use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use crate::wire::Wire;

/// Where requests go and what they say.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    pub address: SocketAddr,
    key: String,
    /// Who asks, in the keys of commands.
    from: String,
    #[serde(skip)]
    commands: Arc<AtomicU64>,
}

impl Target {
    pub fn new(address: SocketAddr, key: String) -> Self {
        Self { address, key, from: "test".to_owned(), commands: Arc::default() }
    }

    /// The same for somebody else, who repeats no command either.
    pub fn of(&self, from: &str) -> Self {
        Self { from: from.to_owned(), commands: Arc::default(), ..self.clone() }
    }

    pub fn wire(&self) -> Wire {
        Wire::to(self.address)
    }

    /// A command that no other repeats, by its key.
    pub fn command(&self) -> String {
        let body = r#"{"target":{"kind":"website","url":"https://shop.example.com/"}}"#;
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let key = format!("idempotency-key: {}-{number}\r\n", self.from);
        let more = format!("{key}content-length: {}\r\n", body.len());
        self.head("POST /v1/scans", &more) + "\r\n" + body
    }

    /// A head without the empty line that ends it.
    pub fn head(&self, line: &str, more: &str) -> String {
        let key = &self.key;
        format!(
            "{line} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n{more}"
        )
    }
}
