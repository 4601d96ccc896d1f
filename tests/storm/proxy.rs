//! A connection in between that can be cut, slowed down and held.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

const BUFFER: usize = 16 << 10;
/// What a connection of Postgres calls itself that appends.
const APPENDER: &[u8] = b"millrace appender";

#[derive(Debug, Clone)]
pub enum Upstream {
    Socket(PathBuf),
    Port(SocketAddr),
}

/// Which of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    All,
    Appenders,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// Counts up with every cut: connections of before are closed.
    cuts: u64,
    /// The same for those that append alone.
    cuts_of_appenders: u64,
    /// Each piece of data waits so long.
    delay: Duration,
    /// Nothing passes, though nothing is closed.
    held: bool,
    /// What the server says does not pass; what it is told does.
    silent: Option<Who>,
}

/// Forwards a loopback port of its own to a server.
pub struct Proxy {
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(upstream: Upstream) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = watch::Sender::new(Weather::default());
        let told = weather.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // One that cannot be connected is closed, as by a server that is gone.
                tokio::spawn(forward(client, upstream.clone(), told.subscribe()));
            }
        });
        Self { address, weather, task }
    }

    pub fn cut(&self) {
        self.cut_off(Who::All);
    }

    /// Cuts after a time in which the server goes on and they do not hear what it says.
    pub async fn cut_unheard(&self, who: Who, time: Duration) {
        self.weather.send_modify(|weather| weather.silent = Some(who));
        sleep(time).await;
        self.cut_off(who);
    }

    fn cut_off(&self, who: Who) {
        self.weather.send_modify(|weather| {
            match who {
                Who::All => weather.cuts += 1,
                Who::Appenders => weather.cuts_of_appenders += 1,
            }
            weather.silent = None;
        });
    }

    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    pub fn hold(&self, held: bool) {
        self.weather.send_modify(|weather| weather.held = held);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(
    client: TcpStream,
    upstream: Upstream,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    match upstream {
        Upstream::Socket(path) => {
            let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
            join((from_client, to_server), (from_server, to_client), weather).await
        }
        Upstream::Port(address) => {
            let server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            join((from_client, to_server), (from_server, to_client), weather).await
        }
    }
}

async fn join(
    (mut from_client, mut to_server): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    (from_server, to_client): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (up, down) = (weather.clone(), weather.clone());
    let Weather { cuts, cuts_of_appenders, .. } = *weather.borrow();
    let appends = Arc::new(AtomicBool::new(false));
    let told = |now: &Weather| now.held;
    let hears = Arc::clone(&appends);
    let heard = move |now: &Weather| {
        let deaf = match now.silent {
            None => false,
            Some(Who::All) => true,
            Some(Who::Appenders) => hears.load(Ordering::Relaxed),
        };
        now.held || deaf
    };
    let is_cut = |now: &Weather| {
        now.cuts != cuts
            || now.cuts_of_appenders != cuts_of_appenders && appends.load(Ordering::Relaxed)
    };
    let upwards = async {
        // A connection begins with who it is.
        let mut buffer = vec![0; BUFFER];
        let read = from_client.read(&mut buffer).await?;
        let is_appender = buffer[..read].windows(APPENDER.len()).any(|bytes| bytes == APPENDER);
        appends.store(is_appender, Ordering::Relaxed);
        to_server.write_all(&buffer[..read]).await?;
        pump(from_client, to_server, up, told).await
    };
    tokio::select! {
        // Nothing of what was kept back passes at the last moment.
        biased;
        _ = weather.wait_for(is_cut) => Ok(()),
        ended = upwards => ended,
        ended = pump(from_server, to_client, down, heard) => ended,
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    is_kept_back: impl Fn(&Weather) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *weather.wait_for(|now| !is_kept_back(now)).await.map_err(io::Error::other)?;
        if !now.delay.is_zero() {
            sleep(now.delay).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
