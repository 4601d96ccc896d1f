//! What is in a mail, seen as it arrives at the server.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail::{Address, AddressError, Content, Link, Name};
use proptest::prelude::*;
use testkit::{cases, odd_text};

use crate::support::{ID, at, mail, sender};

/// The header of a mail, unfolded, and its two bodies, decoded.
struct Seen {
    header: Vec<String>,
    text: String,
    html: String,
}

fn see(address: &str, name: Option<&str>, content: Content) -> Seen {
    let place = tempfile::tempdir().unwrap();
    let folder = mail::Folder::open(place.path()).unwrap();
    let mailer = mail::Mailer::folder(folder, sender());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(mailer.send(&mail(address, name, content))).unwrap();
    let file = std::fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
    let mail = std::fs::read_to_string(file).unwrap();
    let (header, _) = mail.split_once("\r\n\r\n").unwrap();
    let header = header.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect();
    let parts: Vec<_> = mail.split(&format!("\r\n--{}", ID.simple())).collect();
    Seen { header, text: decode(parts[1]), html: decode(parts[2]) }
}

fn decode(part: &str) -> String {
    let (header, body) = part.split_once("\r\n\r\n").unwrap();
    let bytes = if header.contains("quoted-printable") {
        quoted_printable(body)
    } else if header.contains("base64") {
        STANDARD.decode(body.replace("\r\n", "")).unwrap()
    } else {
        body.into()
    };
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

fn quoted_printable(body: &str) -> Vec<u8> {
    let joined = body.replace("=\r\n", "");
    let mut pieces = joined.split('=');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend(&piece.as_bytes()[2..]);
    }
    bytes
}

fn link() -> Link {
    "https://mill.example/go?a=1&b=<2>".parse().unwrap()
}

fn all() -> Vec<Content> {
    let (expires_at, name) = (at(), Name::new("<b>Zoë</b> & \"Sons\""));
    vec![
        Content::VerifyEmail { link: link(), expires_at },
        Content::SignUpRepeated { at: at(), link: Some(link()) },
        Content::PasswordReset { link: link(), expires_at },
        Content::PasswordChanged { at: at(), link: Some(link()) },
        Content::EmailChange { link: link(), expires_at },
        Content::EmailChanged { at: at(), link: Some(link()) },
        Content::Invitation { organization: name.clone(), inviter: None, link: link(), expires_at },
        Content::IdentityLinked { provider: name.clone(), at: at(), link: Some(link()) },
        Content::IdentityUnlinked { provider: None, at: at(), link: Some(link()) },
        Content::NewLogin { at: at(), from: name, link: Some(link()) },
        Content::SecondFactorRemoved { at: at(), link: Some(link()) },
        Content::AccountErased { at: at() },
    ]
}

#[test]
fn an_invitation_reads_well() {
    let content = Content::Invitation {
        organization: Name::new("Müller, Söhne & <Co>"),
        inviter: Name::new("Ann"),
        link: link(),
        expires_at: at(),
    };
    let seen = see("bob@example.org", Some("Bob"), content);
    let expected = "Hello Bob,\n\
        \n\
        Ann invites you to join Müller, Söhne & <Co> on Mill, race.\n\
        \n\
        Accept the invitation:\n\
        https://mill.example/go?a=1&b=%3C2%3E\n\
        The link works until 1 March 2026 at 12:00 UTC.\n\
        \n\
        If you do not expect this, leave this mail alone: nothing will happen.\n\
        \n\
        Mill, race";
    assert_eq!(seen.text.trim_end(), expected);
    assert!(seen.html.contains("join Müller, Söhne &#38; &#60;Co&#62; on"), "{}", seen.html);
    assert!(
        seen.html.contains("href=\"https://mill.example/go?a=1&#38;b=%3C2%3E\""),
        "{}",
        seen.html
    );
}

#[test]
fn each_mail_says_the_same_as_text_and_as_html() {
    for content in all() {
        let has_link = content.link().is_some();
        let seen = see("ann@example.org", None, content);
        assert!(seen.text.starts_with("Hello,\n\n"), "{}", seen.text);
        assert!(seen.text.contains("1 March 2026 at 12:00 UTC"), "{}", seen.text);
        assert!(!seen.text.contains("\n\n\n"), "{}", seen.text);
        assert_eq!(seen.text.contains("https://mill.example/go?a=1&b=%3C2%3E\n"), has_link);
        let html = seen.html.replace("&#38;", "&").replace("&#60;", "<").replace("&#62;", ">");
        let html = html.replace("&#34;", "\"").replace("&#39;", "'");
        for line in seen.text.lines().filter(|line| !line.is_empty()) {
            assert!(html.contains(line.trim_end_matches(':')), "{line} is not in {html}");
        }
        for remote in ["<img", "<script", "<b>", "src=", "@import", "url("] {
            assert!(!seen.html.contains(remote), "{remote} is in {}", seen.html);
        }
    }
}

#[test]
fn a_name_cannot_write_a_header_or_another_recipient() {
    let name = "Ann\r\nBcc: all, \"x\" <y>";
    let seen = see("ann@example.org", Some(name), all().swap_remove(0));
    let to: Vec<_> = seen.header.iter().filter(|line| line.starts_with("To:")).collect();
    let encoded = STANDARD.encode("Ann Bcc: all, \"x\" <y>");
    assert_eq!(to, [&format!("To: =?utf-8?b?{encoded}?= <ann@example.org>")]);
    assert!(!seen.header.iter().any(|line| line.starts_with("Bcc")));
}

#[test]
fn addresses_are_checked_and_never_shown() {
    let address: Address = "o'hara+tag@sub.example.org".parse().unwrap();
    assert_eq!(format!("{address:?}"), "<address>");
    for (text, error) in [
        ("", AddressError::Malformed),
        ("ann", AddressError::Malformed),
        ("ann@", AddressError::Malformed),
        ("@example.org", AddressError::Malformed),
        ("a b@example.org", AddressError::Malformed),
        ("ann@example.org\r\nRCPT TO:<x@evil.example>", AddressError::Malformed),
        ("ann@example.org>", AddressError::Malformed),
        ("<ann@example.org", AddressError::Malformed),
        ("ann@x.example,bob@y.example", AddressError::Malformed),
        ("ann@[127.0.0.1]", AddressError::Unusual),
        ("ann@127.0.0.1", AddressError::Unusual),
        ("\"a@b\"@example.org", AddressError::Unusual),
        (&format!("{}@example.org", "a".repeat(300)), AddressError::TooLong),
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err(), error, "{text}");
    }
}

#[test]
fn links_are_web_addresses() {
    assert_eq!(format!("{:?}", link()), "<link>");
    for text in
        ["javascript:alert(1)", "https://", "https://u:p@x.example", "ftp://x.example", "/x"]
    {
        assert!(text.parse::<Link>().is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn no_name_breaks_a_mail(text in odd_text()) {
        let content = Content::Invitation {
            organization: Name::new(&text),
            inviter: Name::new(&text),
            link: link(),
            expires_at: at(),
        };
        let seen = see("ann@example.org", Some(&text), content);
        let names: Vec<_> = seen.header.iter().map(|line| line.split(':').next().unwrap()).collect();
        let expected =
            ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
        prop_assert_eq!(names, expected);
        prop_assert!(seen.header[1].ends_with(" <ann@example.org>") || seen.header[1] == "To: ann@example.org");
        prop_assert!(seen.text.contains("https://mill.example/go"));
    }

    #[test]
    fn no_text_breaks_the_check_of_addresses(text in odd_text()) {
        if let Ok(address) = format!("{text}@example.org").parse::<Address>() {
            prop_assert!(!address.expose().contains(['\r', '\n', ' ', '<', '>', '"', ',']));
        }
    }
}
