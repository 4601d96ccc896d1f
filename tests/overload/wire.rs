//! A client that costs as little as it can, so that what is left of the machine is the server's.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// HTTP/1.1 on a connection that is kept for as long as the server keeps it.
pub struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub within: Duration,
    /// In small letters.
    pub head: String,
    pub body: String,
}

impl Wire {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(2048) }
    }

    /// The answer to the request, which is sent once more when the connection had ended before it.
    pub async fn ask(&mut self, request: &str) -> Answer {
        let answer = self.ask_if_taken_in(request).await;
        answer.unwrap_or_else(|error| panic!("a fresh connection brought no answer: {error}"))
    }

    /// The same of a client that may be so slow that the server has closed a fresh connection.
    pub async fn ask_if_taken_in(&mut self, request: &str) -> io::Result<Answer> {
        let begun = Instant::now();
        let asked = async {
            if self.stream.is_some()
                && let Ok(answer) = self.try_ask(request, begun).await
            {
                return Ok(answer);
            }
            self.stream = None;
            self.try_ask(request, begun).await
        };
        timeout(PATIENCE, asked).await.expect("an answer in time")
    }

    /// For the next request a new connection is made.
    pub fn close(&mut self) {
        self.stream = None;
    }

    async fn try_ask(&mut self, request: &str, begun: Instant) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        self.buffer.clear();
        stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            receive(&mut stream, &mut self.buffer).await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
        let length = field(&head, "content-length").and_then(|text| text.parse::<usize>().ok());
        let whole = end + length.ok_or(io::ErrorKind::InvalidData)?;
        while self.buffer.len() < whole {
            receive(&mut stream, &mut self.buffer).await?;
        }
        let within = begun.elapsed();
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        let body = String::from_utf8_lossy(&self.buffer[end..whole]).into_owned();
        if field(&head, "connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, within, head, body })
    }
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// What a client must be told that finds no room.
    pub fn assert_refused(&self) {
        assert_eq!(self.status, 503, "{}{}", self.head, self.body);
        assert!(self.field("retry-after").is_some_and(|text| text.parse::<u32>().is_ok()));
        assert_eq!(self.field("content-type"), Some("application/problem+json"));
        assert!(self.body.contains(r#""code":"overloaded""#), "{}", self.body);
        assert!(self.field("x-request-id").is_some_and(|id| self.body.contains(id)));
    }

    /// The id of the resource that was made.
    pub fn id(&self) -> String {
        let (_, rest) = self.body.split_once(r#""id":""#).expect("an id");
        rest.split('"').next().expect("an id").to_owned()
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
