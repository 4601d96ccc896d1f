//! Clients that are slow on purpose, by the thousand. Whoever is thrown out comes back.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{target::Target, world::STREAMS};

const HEADS: usize = 3000;
const BODIES: usize = 1000;
const READERS: usize = 1000;
/// Files of this process beside the connections of the slow clients.
const OTHER_FILES: u64 = 400;
const HEAD_PAUSE: Duration = Duration::from_secs(1);
const BODY_PAUSE: Duration = Duration::from_millis(250);
const BODY_PIECE: &[u8] = &[b' '; 4096];
const AGAIN: Duration = Duration::from_millis(500);
/// A reader that finds no room comes back so long after it was told and disconnected.
const LATER: Duration = Duration::from_secs(15);
/// For all to have come, and for the server to have defended itself.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// The kernel makes a little more of it; it is full after a few events.
const READ_BUFFER: u32 = 4096;

pub struct Attack {
    pub name: &'static str,
    seen: Arc<Seen>,
    count: usize,
    felt: fn(&Seen) -> bool,
    _clients: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    connected: AtomicUsize,
    thrown_out: AtomicUsize,
    refused: AtomicUsize,
    streams: AtomicUsize,
}

impl Attack {
    /// Heads that come a byte a second.
    pub fn heads(target: &Target) -> Self {
        let felt = |seen: &Seen| seen.thrown_out.load(Relaxed) > 0;
        Self::start("slow heads", HEADS, felt, target, |target, seen| async move {
            let mut stream = seen.connect(&target).await?;
            for byte in target.head("GET /v1/scans", "").as_bytes() {
                stream.write_all(&[*byte]).await?;
                sleep(HEAD_PAUSE).await;
            }
            Ok(())
        })
    }

    /// Bodies that go on and on.
    pub fn bodies(target: &Target) -> Self {
        let felt = |seen: &Seen| seen.refused.load(Relaxed) > 0;
        Self::start("endless bodies", BODIES, felt, target, |target, seen| async move {
            let mut stream = seen.connect(&target).await?;
            let head = target.head("POST /v1/scans", "content-length: 1000000\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let (mut read, mut write) = stream.split();
            let sending = async {
                loop {
                    write.write_all(BODY_PIECE).await?;
                    sleep(BODY_PAUSE).await;
                }
            };
            tokio::select! {
                ended = sending => ended,
                status = status(&mut read) => seen.answered(status?),
            }
        })
    }

    /// Readers of server-sent events that do not read.
    pub fn readers(target: &Target) -> Self {
        let felt = |seen: &Seen| seen.streams.load(Relaxed) > STREAMS;
        Self::start("silent readers", READERS, felt, target, |target, seen| async move {
            let mut stream = seen.connect(&target).await?;
            let head = target.head("GET /v1/events/stream?after=0", "\r\n");
            stream.write_all(head.as_bytes()).await?;
            let status = status(&mut stream).await?;
            if status != 200 {
                seen.answered(status)?;
                // The rest of it is not read either.
                let _ = stream.read_to_end(&mut Vec::new()).await;
                sleep(LATER).await;
                return Ok(());
            }
            seen.streams.fetch_add(1, Relaxed);
            std::future::pending().await
        })
    }

    /// `client` is what one does until it is thrown out, again and again.
    fn start<C, F>(
        name: &'static str,
        count: usize,
        felt: fn(&Seen) -> bool,
        target: &Target,
        client: C,
    ) -> Self
    where
        C: Fn(Target, Arc<Seen>) -> F + Copy + Send + 'static,
        F: Future<Output = io::Result<()>> + Send,
    {
        let (seen, mut clients) = (Arc::<Seen>::default(), JoinSet::new());
        let count = count.min(files_at_most());
        for number in 0..count {
            let (target, seen) = (target.clone(), Arc::clone(&seen));
            clients.spawn(async move {
                sleep(HEAD_PAUSE.mul_f64(number as f64 / count as f64)).await;
                loop {
                    if client(target.clone(), Arc::clone(&seen)).await.is_err() {
                        seen.thrown_out.fetch_add(1, Relaxed);
                    }
                    sleep(AGAIN).await;
                }
            });
        }
        Self { name, seen, count, felt, _clients: clients }
    }

    pub fn seen(&self) -> String {
        let Seen { connected, thrown_out, refused, streams } = &*self.seen;
        format!(
            "{connected:?} connections, {thrown_out:?} thrown out, {refused:?} refused, {streams:?} streams"
        )
    }

    /// All clients have come.
    pub async fn gathered(&self) {
        self.wait("come", |seen| seen.connected.load(Relaxed) >= self.count).await;
    }

    /// It was enough to make the server defend itself.
    pub async fn felt(&self) {
        self.wait("are felt", self.felt).await;
    }

    async fn wait(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.seen) {
            assert!(Instant::now() < end, "not all {} {what}: {}", self.name, self.seen());
            sleep(LOOK).await;
        }
    }
}

impl Seen {
    async fn connect(&self, target: &Target) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(READ_BUFFER)?;
        let stream = socket.connect(target.address).await?;
        self.connected.fetch_add(1, Relaxed);
        Ok(stream)
    }

    fn answered(&self, status: u16) -> io::Result<()> {
        assert!([408, 413, 503].contains(&status), "a slow client was answered with {status}");
        self.refused.fetch_add(1, Relaxed);
        Ok(())
    }
}

async fn status(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<u16> {
    let mut line = [0; 12];
    timeout(Duration::from_secs(60), stream.read_exact(&mut line)).await??;
    let text = String::from_utf8_lossy(&line[9..]).into_owned();
    text.parse().map_err(io::Error::other)
}

/// As many connections as this process may have.
fn files_at_most() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).unwrap();
    limit.maximum.map_or(usize::MAX, |most| most.saturating_sub(OTHER_FILES) as usize)
}
