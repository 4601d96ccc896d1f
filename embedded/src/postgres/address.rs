use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::cluster::USER;
use super::path_text;
use crate::identity::Identity;
use crate::{Error, data_dir};

/// The kernel allows 107 bytes for a socket's path, and Postgres appends `/.s.PGSQL.5432`.
const MAX_SOCKET_FOLDER_BYTES: usize = 92;
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Where the server listens: a socket in a folder only its user may enter, or, when that folder's
/// path is too long for a socket, a free loopback port that demands the password.
pub enum Address {
    Socket(PathBuf),
    Port(u16),
}

impl Address {
    pub fn choose(folder: &Path, identity: &Identity) -> Result<Self, Error> {
        let socket = folder.join("socket");
        if socket.as_os_str().len() <= MAX_SOCKET_FOLDER_BYTES {
            return Ok(Self::Socket(data_dir::private_folder(socket, identity)?));
        }
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        port.map(|address| Self::Port(address.port()))
            .map_err(Error::file("find a free port for the server in", folder))
    }

    pub fn url(&self, password: &str) -> String {
        match self {
            Self::Socket(folder) => {
                format!("postgres://{USER}@localhost/postgres?host={}", encode(&path_text(folder)))
            }
            Self::Port(port) => {
                format!("postgres://{USER}:{password}@127.0.0.1:{port}/postgres?sslmode=disable")
            }
        }
    }

    pub fn settings(&self) -> Vec<String> {
        match self {
            Self::Socket(folder) => vec![
                "listen_addresses=".to_owned(),
                format!("unix_socket_directories={}", quote(&path_text(folder))),
                "port=5432".to_owned(),
            ],
            Self::Port(port) => vec![
                "listen_addresses=127.0.0.1".to_owned(),
                "unix_socket_directories=".to_owned(),
                format!("port={port}"),
            ],
        }
    }

    /// Whether the server gets as far as authentication; while it recovers it answers an error.
    pub async fn answers(&self) -> bool {
        let probe = async {
            match self {
                Self::Socket(folder) => {
                    greet(UnixStream::connect(folder.join(".s.PGSQL.5432")).await?).await
                }
                Self::Port(port) => greet(TcpStream::connect(("127.0.0.1", *port)).await?).await,
            }
        };
        matches!(timeout(PROBE_PATIENCE, probe).await, Ok(Ok(true)))
    }
}

async fn greet(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<bool> {
    const PROTOCOL_3: [u8; 4] = [0, 3, 0, 0];
    let names = format!("user\0{USER}\0database\0postgres\0\0");
    let length = u32::try_from(names.len() + 8).unwrap_or(u32::MAX);
    let startup = [&length.to_be_bytes(), &PROTOCOL_3, names.as_bytes()].concat();
    stream.write_all(&startup).await?;
    Ok(stream.read_u8().await? == b'R')
}

/// One element of a Postgres list setting.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn encode(path: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
