//! A connection in between that can be cut, slowed down and held.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

const BUFFER: usize = 16 << 10;

#[derive(Debug, Clone)]
pub enum Upstream {
    Socket(PathBuf),
    Port(SocketAddr),
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    /// Counts up with every cut: connections of before are closed.
    cuts: u64,
    /// Each piece of data waits so long.
    delay: Duration,
    /// Nothing passes, though nothing is closed.
    held: bool,
    /// What the server says does not pass; what it is told does.
    silent: bool,
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
        self.weather.send_modify(|weather| {
            weather.cuts += 1;
            weather.silent = false;
        });
    }

    /// Cuts after a time in which the server goes on and nobody hears what it says.
    pub async fn cut_unheard(&self, time: Duration) {
        self.weather.send_modify(|weather| weather.silent = true);
        sleep(time).await;
        self.cut();
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
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let cuts = weather.borrow().cuts;
    let (up, down) = (weather.clone(), weather.clone());
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let told = |now: &Weather| now.held;
    let heard = |now: &Weather| now.held || now.silent;
    match upstream {
        Upstream::Socket(path) => {
            let (from_server, to_server) = UnixStream::connect(path).await?.into_split();
            tokio::select! {
                // Nothing of what was kept back passes at the last moment.
                biased;
                _ = weather.wait_for(|now| now.cuts != cuts) => Ok(()),
                ended = pump(from_client, to_server, up, told) => ended,
                ended = pump(from_server, to_client, down, heard) => ended,
            }
        }
        Upstream::Port(address) => {
            let server = TcpStream::connect(address).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                // Nothing of what was kept back passes at the last moment.
                biased;
                _ = weather.wait_for(|now| now.cuts != cuts) => Ok(()),
                ended = pump(from_client, to_server, up, told) => ended,
                ended = pump(from_server, to_client, down, heard) => ended,
            }
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
    is_kept_back: fn(&Weather) -> bool,
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
