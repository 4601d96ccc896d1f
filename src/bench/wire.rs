//! A client that costs as little as it can: HTTP/1.1 on a connection that stays open.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const MAX_HEAD: usize = 64 * 1024;

pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The head of an answer, in small letters.
pub struct Head {
    pub status: u16,
    text: String,
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        let lines = self.text.split("\r\n").skip(1);
        lines.filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, v)| v)
    }

    /// The position of the log that the answer names.
    pub fn position(&self) -> anyhow::Result<u64> {
        let position = self.get("millrace-position").context("the answer names no position")?;
        Ok(position.parse()?)
    }
}

/// A request with whatever header lines are given, each with its end.
pub fn request(method: &str, path: &str, lines: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{lines}\r\n{body}",
        body.len()
    )
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends the request and takes in the whole answer, which must be a success.
    pub async fn ask(&mut self, request: &str) -> anyhow::Result<Head> {
        Ok(self.whole(request).await?.0)
    }

    /// The same; gives the body.
    pub async fn exchange(&mut self, request: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.whole(request).await?.1)
    }

    async fn whole(&mut self, request: &str) -> anyhow::Result<(Head, Vec<u8>)> {
        let head = self.begin(request).await?;
        let length: usize = head.get("content-length").map_or(Ok(0), str::parse)?;
        while self.buffer.len() < length {
            self.receive().await?;
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        ensure!(
            (200..300).contains(&head.status),
            "answered {}: {}",
            head.status,
            String::from_utf8_lossy(&body)
        );
        Ok((head, body))
    }

    /// Sends the request and takes in the head of the answer; the body follows as lines.
    pub async fn begin(&mut self, request: &str) -> anyhow::Result<Head> {
        self.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            let found = self.buffer.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(at) = found {
                break at + 4;
            }
            ensure!(self.buffer.len() < MAX_HEAD, "the head of an answer has no end");
            self.receive().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let text = String::from_utf8(head)?.to_ascii_lowercase();
        let status = text.split(' ').nth(1).context("an answer has no status")?.parse()?;
        Ok(Head { status, text })
    }

    /// The next line of a body without an end.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
