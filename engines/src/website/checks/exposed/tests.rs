use super::files::FILES;

/// What each file looks like where it is really there.
const SAMPLES: [(&str, &[u8]); 18] = [
    ("/.git/HEAD", b"ref: refs/heads/main\n"),
    ("/.git/HEAD", b"0123456789abcdef0123456789abcdef01234567\n"),
    ("/.git/config", b"[core]\n\trepositoryformatversion = 0\n"),
    ("/.env", b"# local\nexport APP_NAME=1\nDB_URL = postgres://u:p@h/d\n"),
    ("/.aws/credentials", b"[default]\naws_access_key_id = AKIA\n"),
    ("/id_rsa", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"),
    ("/server.key", b"-----BEGIN PRIVATE KEY-----\nMIIE\n"),
    ("/backup.sql", b"-- PostgreSQL database dump\n"),
    ("/dump.sql", b"create table users (id int);\n"),
    ("/backup.zip", b"PK\x03\x04\x14\x00"),
    ("/backup.tar.gz", b"\x1f\x8b\x08\x00"),
    ("/.DS_Store", b"\x00\x00\x00\x01Bud1\x00"),
    ("/docker-compose.yml", b"services:\n  db:\n    image: postgres\n"),
    ("/wp-config.php.bak", b"<?php define('DB_PASSWORD', 'x');"),
    ("/.svn/entries", b"12\n"),
    ("/.htpasswd", b"admin:$apr1$abc$def\n"),
    ("/.npmrc", b"//registry.example/:_authToken=abc\n"),
    ("/openapi.json", b"{ \"openapi\": \"3.1.0\", \"info\": {} }"),
];

const OTHERS: [&[u8]; 9] = [
    b"",
    b"Not found\n",
    b"<html><p>[core] repositoryformatversion, services:\n image: DB_PASSWORD A=1</p></html>",
    b"{\"error\": \"not found\", \"code\": 404}",
    b"You asked for /.env = nothing.\nTry again later.\nGoodbye.\n",
    b"status=ok\n",
    b"12 monkeys\n",
    b"name:value\nother:thing\n",
    b"\xff\xfe\x00\x00",
];

#[test]
fn a_file_is_told_by_its_content() {
    for (path, body) in SAMPLES {
        let file = FILES.iter().find(|file| file.path == path).unwrap();
        assert!(file.signature.describe(body).is_some(), "{path}");
    }
}

#[test]
fn other_content_is_no_such_file() {
    for file in &FILES {
        for body in OTHERS {
            let described = file.signature.describe(body);
            assert_eq!(described, None, "{} in {}", file.path, String::from_utf8_lossy(body));
        }
    }
}

#[test]
fn what_is_said_of_a_file_holds_none_of_its_values() {
    for (path, body) in SAMPLES {
        let file = FILES.iter().find(|file| file.path == path).unwrap();
        let described = file.signature.describe(body).unwrap_or_default();
        assert!(!described.contains("postgres://") && !described.contains("AKIA"), "{described}");
    }
}
