use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::wire::Wire;

/// Where requests go and what they say.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    key: String,
    commands: Arc<AtomicU64>,
}

impl Target {
    pub fn new(address: SocketAddr, key: String) -> Self {
        Self { address, key, commands: Arc::default() }
    }

    pub fn wire(&self) -> Wire {
        Wire::to(self.address)
    }

    /// A command that no other repeats, by its key.
    pub fn command(&self) -> String {
        let body = r#"{"target":{"kind":"website","url":"https://shop.example.com/"}}"#;
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let more = format!("idempotency-key: {number}\r\ncontent-length: {}\r\n", body.len());
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
