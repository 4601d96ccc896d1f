use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::world::soon;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Arrived {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Seen {
    arrived: Vec<Arrived>,
    /// Answers to give in place of 200.
    refusals: VecDeque<u16>,
}

/// An HTTP server that keeps what it is sent.
#[derive(Clone)]
pub struct Collector {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
    news: Arc<Notify>,
}

impl Collector {
    /// Answers with these statuses first.
    pub async fn start(refusals: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Seen { refusals: refusals.iter().copied().collect(), ..Seen::default() };
        let collector = Self { port, seen: Arc::new(Mutex::new(seen)), news: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        collector
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/intake?source=millrace", self.port)
    }

    /// The requests, once there are so many.
    pub async fn requests(&self, count: usize) -> Vec<Arrived> {
        soon(async {
            loop {
                let news = self.news.notified();
                {
                    let seen = self.seen.lock().unwrap();
                    if seen.arrived.len() >= count {
                        return seen.arrived.clone();
                    }
                }
                news.await;
            }
        })
        .await
    }

    async fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(arrived) = read(&mut stream).await {
            let status = {
                let mut seen = self.seen.lock().unwrap();
                seen.arrived.push(arrived);
                seen.refusals.pop_front().unwrap_or(200)
            };
            self.news.notify_waiters();
            let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: 4\r\n\r\nnote");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Arrived> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let (name, value) = (name.to_lowercase(), value.trim().to_owned());
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        headers.push((name, value));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Arrived { path, headers, body: String::from_utf8(body).ok()? })
}
