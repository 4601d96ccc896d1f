//! Connections to addresses that were checked before, and TLS that looks instead of judging: a
//! site with a faulty certificate is one that needs to be examined.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::failure::Failure;

/// More addresses than this are not tried.
const MAX_ADDRESSES: u32 = 4;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// What the server showed in the handshake.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub name: ServerName<'static>,
    pub certificate: CertificateDer<'static>,
    pub intermediates: Vec<CertificateDer<'static>>,
    pub now: UnixTime,
}

/// Tries the addresses in turn; each gets its share of the time that is left.
pub(super) async fn tcp(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, Failure> {
    let mut left = MAX_ADDRESSES.min(u32::try_from(addresses.len()).unwrap_or(MAX_ADDRESSES));
    let mut failure = Failure::TimedOut;
    for address in addresses.iter().take(MAX_ADDRESSES as usize) {
        let share = until.saturating_duration_since(Instant::now()) / left;
        left -= 1;
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = Failure::Connect(*address, error),
            Err(_) => failure = Failure::TimedOut,
        }
    }
    Err(failure)
}

pub(super) async fn tls(stream: TcpStream, url: &Url) -> Result<(Box<dyn Duplex>, Tls), Failure> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Failure::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let recorder = Arc::new(Recorder::default());
    let config = client_config(Arc::clone(&recorder))
        .map_err(|error| Failure::Tls(io::Error::other(error)))?;
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(Failure::Tls)?;
    let seen = recorder.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let seen = seen.ok_or_else(|| Failure::Tls(io::Error::other("no certificate was shown")))?;
    Ok((Box::new(stream), seen))
}

fn client_config(recorder: Arc<Recorder>) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

#[derive(Debug, Default)]
struct Recorder {
    seen: Mutex<Option<Tls>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Tls {
            name: server_name.to_owned(),
            certificate: end_entity.clone().into_owned(),
            intermediates: intermediates.iter().map(|der| der.clone().into_owned()).collect(),
            now,
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
