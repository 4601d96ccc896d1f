use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A client that waits longer has been left alone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection of a plain client, which sends one request after the other.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim())
    }

    pub fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

pub fn get(path: &str, key: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n")
}

pub fn post(path: &str, key: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Fails when it takes longer than anybody would wait.
pub async fn patiently<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = patiently(TcpStream::connect(address)).await?;
        Ok(Self { stream, read: Vec::new() })
    }

    pub async fn ask(&mut self, request: &str) -> io::Result<Answer> {
        patiently(self.exchange(request)).await
    }

    async fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        // A server that refuses may have answered and closed its side already.
        let written = self.stream.write_all(request.as_bytes()).await;
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.read.drain(..end + 4).collect();
                break String::from_utf8(head).map_err(io::Error::other)?;
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                written?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        answer.body = self.read.drain(..length).collect();
        Ok(answer)
    }
}

/// One request on a connection of its own.
pub async fn once(address: SocketAddr, request: &str) -> io::Result<Answer> {
    Connection::open(address).await?.ask(request).await
}
