//! Whether the server still speaks the TLS versions that were withdrawn. Modern libraries cannot
//! ask for them, so the greeting is written by hand and nothing but its answer is read.

use domain::scans::{Finding, Severity};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout_at,
};
use url::{Host, Url};

use crate::website::{
    failure::Failure,
    rule::Rule,
    session::{Session, Stop},
};

const OLD_TLS: Rule = Rule {
    id: "website.tls-old-version",
    title: "The server accepts a withdrawn version of TLS",
    description: "TLS 1.0 and 1.1 rest on broken hashes and modes and were withdrawn in 2021.",
    severity: Severity::Medium,
    cwe: &[326, 327],
    fix: "Accept TLS 1.2 and 1.3 only.",
    references: &[
        "https://www.rfc-editor.org/rfc/rfc8996",
        "https://wiki.mozilla.org/Security/Server_Side_TLS",
    ],
};

const VERSIONS: [(u8, &str); 2] = [(1, "1.0"), (2, "1.1")];

/// Of all key exchanges that servers of that age know.
const CIPHER_SUITES: [u16; 12] = [
    0xc014, 0xc00a, 0xc013, 0xc009, 0x0039, 0x0033, 0x0035, 0x002f, 0xc012, 0x0016, 0x000a, 0x0005,
];

pub(in crate::website) async fn check(session: &mut Session<'_>, site: &Url) -> Result<(), Stop> {
    for (minor, name) in VERSIONS {
        match accepts(session, site, minor).await {
            Ok(true) => session.report(found(site, name))?,
            // A server that dislikes the greeting may just hang up.
            Ok(false) => {}
            Err(Failure::TimeUp) => return Err(Stop::Time),
            Err(Failure::BytesUp) => return Err(Stop::Bytes),
            Err(_) => {}
        }
    }
    Ok(())
}

fn found(site: &Url, version: &str) -> Finding {
    let evidence = format!("a greeting with TLS {version} as the highest version was accepted");
    OLD_TLS.found(site, &format!("tls:{version}"), &evidence)
}

async fn accepts(session: &mut Session<'_>, site: &Url, minor: u8) -> Result<bool, Failure> {
    let (mut stream, until) = session.client.open(site).await?;
    timeout_at(until, async {
        stream.write_all(&client_hello(site.host(), minor)).await?;
        // Record header (5), kind and length of the message (4), version (2).
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).await?;
        const HANDSHAKE: u8 = 22;
        const SERVER_HELLO: u8 = 2;
        Ok(answer[0] == HANDSHAKE && answer[5] == SERVER_HELLO && answer[9..] == [3, minor])
    })
    .await
    .map_err(|_| Failure::TimedOut)?
    .map_err(|error: std::io::Error| Failure::Broken(error.to_string()))
}

fn client_hello(host: Option<Host<&str>>, minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    // Nothing is kept secret with it, so the random part need not be random.
    body.extend([0x5a; 32]);
    body.push(0); // no session to resume
    let suites: Vec<u8> = CIPHER_SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    body.extend(with_length(&suites));
    body.extend([1, 0]); // no compression
    body.extend(with_length(&extensions(host)));

    let mut message = vec![1, 0]; // client hello, length in three bytes
    message.extend(with_length(&body));
    let mut record = vec![22, 3, 1];
    record.extend(with_length(&message));
    record
}

fn extensions(host: Option<Host<&str>>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(Host::Domain(name)) = host {
        let mut entry = vec![0];
        entry.extend(with_length(name.as_bytes()));
        extensions.extend(extension(0x0000, &with_length(&entry)));
    }
    // Curves P-256, P-384, P-521 and X25519; points uncompressed; safe renegotiation.
    extensions.extend(extension(0x000a, &[0, 8, 0, 23, 0, 24, 0, 25, 0, 29]));
    extensions.extend(extension(0x000b, &[1, 0]));
    extensions.extend(extension(0xff01, &[0]));
    extensions
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend(with_length(content));
    bytes
}

/// In front of it its length in two bytes. All parts are far shorter than 64 KiB: a host name has
/// at most 255 bytes.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}
