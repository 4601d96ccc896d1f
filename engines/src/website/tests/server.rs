//! Real servers on loopback that misbehave on purpose. Dropping one ends its threads.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A request as it came.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub raw: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.raw.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim()).next()
    }
}

pub struct Server {
    pub address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Gives every connection to the function.
    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::raw_at("127.0.0.1", serve)
    }

    pub fn raw_at(host: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let is_stopping = Arc::clone(&stopping);
        let serve = Arc::new(serve);
        let thread = std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                if is_stopping.load(Ordering::SeqCst) {
                    break;
                }
                let (serve, Ok(stream)) = (Arc::clone(&serve), stream) else { continue };
                connections.push(std::thread::spawn(move || serve(stream)));
            }
            for connection in connections {
                connection.join().unwrap();
            }
        });
        Self { address, stopping, thread: Some(thread) }
    }

    pub fn http(answer: impl Fn(&Asked, &mut dyn Stream) + Send + Sync + 'static) -> Self {
        Self::http_at("127.0.0.1", answer)
    }

    pub fn http_at(
        host: &str,
        answer: impl Fn(&Asked, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        Self::raw_at(host, move |mut stream| {
            if let Some(asked) = read_request(&mut stream) {
                answer(&asked, &mut stream);
            }
            // Closing with unread bytes would reset what was just sent.
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 1024]);
        })
    }

    pub fn https(
        identity: &Identity,
        answer: impl Fn(&Asked, &mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        let config = Arc::new(config);
        Self::raw(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            if let Some(asked) = read_request(&mut stream) {
                answer(&asked, &mut stream);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        })
    }

    pub fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}/", self.address.port())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

fn read_request(stream: &mut dyn Stream) -> Option<Asked> {
    let mut raw = String::new();
    let mut reader = BufReader::new(stream);
    while !raw.ends_with("\r\n\r\n") {
        if reader.read_line(&mut raw).ok()? == 0 {
            return None;
        }
    }
    let mut words = raw.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Asked { method, path, raw })
}

/// Answers with lines of headers and a body.
pub fn reply(stream: &mut dyn Stream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
    let _ = stream.flush();
}

pub fn not_found(stream: &mut dyn Stream) {
    reply(stream, "404 Not Found", "Content-Type: text/plain\r\n", b"nothing here\n");
}

pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { chain: vec![certificate.der().clone()], key }
    }
}
