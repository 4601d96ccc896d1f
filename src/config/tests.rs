use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{Config, Format, Sandbox};

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn with(file: &str, pairs: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("millrace.toml");
    fs::write(&path, file).unwrap();
    Config::from_sources(Some(&path), variables(pairs)).map_err(|faults| faults.to_string())
}

#[test]
fn the_defaults_are_sound_and_survive_being_written_and_read() {
    let config = with("", &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8420");
    assert_eq!(config.data_dir, Path::new(".millrace"));
    assert_eq!(config.workers.sandbox, Sandbox::Required);
    let written = config.effective_toml_masked().unwrap();
    assert_eq!(with(&written, &[]).unwrap(), config);
}

#[test]
fn the_file_goes_over_the_defaults_and_variables_go_over_the_file() {
    let file = "data_dir = '/srv/a'\n[server]\nlisten = '0.0.0.0:1'\nmax_connections = 7000\n[log]\nformat = 'json'";
    let config = with(
        file,
        &[
            ("MILLRACE_SERVER__LISTEN", "127.0.0.1:0"),
            ("MILLRACE_DATA_DIR", "/srv/b"),
            ("MILLRACE_SCANS__ALLOWED_PATHS", "/one, /two"),
            ("MILLRACE_SCANS__ALLOWED_PRIVATE_RANGES", r#"["10.0.0.0/8", "::1/128"]"#),
            ("MILLRACE_RELAY__MAX_BYTES", "1_073_741_824"),
            ("MILLRACE_NATS__PREFIX", "7"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.server.max_connections, 7000);
    assert_eq!(config.data_dir, Path::new("/srv/b"));
    assert_eq!(config.log.format, Format::Json);
    assert_eq!(config.scans.allowed_paths, [Path::new("/one"), Path::new("/two")]);
    assert_eq!(config.scans.allowed_private_ranges.len(), 2);
    assert_eq!(config.relay.max_bytes, Some(1 << 30));
    assert_eq!(config.nats.prefix, "7");
}

#[test]
fn the_customary_variables_point_at_real_servers_and_ours_go_over_them() {
    let customary = [("DATABASE_URL", "postgres://a@b/c"), ("NATS_URL", "nats://x:4222")];
    let config = with("[database]\nurl = 'postgres://in/file'", &customary).unwrap();
    assert_eq!(config.database.url.unwrap().expose(), "postgres://a@b/c");
    assert_eq!(config.nats.url.unwrap().expose(), "nats://x:4222");
    let ours = [customary[0], ("MILLRACE_DATABASE__URL", "postgres://our/s")];
    assert_eq!(with("", &ours).unwrap().database.url.unwrap().expose(), "postgres://our/s");
}

#[test]
fn every_fault_is_named_at_once_with_its_place() {
    let file = "dat_dir = 'x'\n[empty]\n[sever]\nport = 1\n[server]\nlisten = 5\nlitsen = 'x'\nmax_connections = 0\n\
                cors_origins = ['*', 'https://a.example/']\n[log]\nformat = 'xml'\nlevel = 'info,=x='";
    let faults = with(
        file,
        &[
            ("MILLRACE_JOBS__LEASE_S", "soon"),
            ("MILLRACE_JOBS__PER_ORG_LIMIT", "-3"),
            ("MILLRACE_SCANS__ALLOWED_PATHS", "relative"),
            ("MILLRACE_SCANS__ALLOWED_PRIVATE_RANGES", "10.0.0.0/99"),
            ("MILLRACE_NATS__REPLICAS", "3"),
            ("MILLRACE_ACCOUNTS__ACCESS_TOKEN_MINUTES", "1441"),
            ("MILLRACE_SHELL", "x"),
        ],
    )
    .unwrap_err();
    for wanted in [
        "dat_dir in ",
        "[empty]: unknown section",
        "sever.port in ",
        "server.listen in ",
        "server.litsen in ",
        "unknown field `litsen`",
        "server.max_connections: 0 is not between 1 and",
        "server.max_connections: must be more than server.max_streams",
        "server.cors_origins: `*` is not an origin",
        "server.cors_origins: `https://a.example/` is not",
        "log.format in ",
        "log.level: ",
        "MILLRACE_JOBS__LEASE_S: invalid type",
        "MILLRACE_JOBS__PER_ORG_LIMIT: invalid value: integer `-3`",
        "scans.allowed_paths: `relative` is not an absolute path",
        "MILLRACE_SCANS__ALLOWED_PRIVATE_RANGES: invalid IP address",
        "nats.replicas: the private nats-server keeps one copy",
        "accounts.access_token_minutes: 1441 is not between 1 and 1440",
        "MILLRACE_SHELL: unknown key",
    ] {
        assert!(faults.contains(wanted), "no `{wanted}` in\n{faults}");
    }
    assert_eq!(faults.lines().count(), 19, "{faults}");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let secret = "hunter2";
    let url = format!("postgres://me:{secret}@db/x");
    let config = with("", &[("DATABASE_URL", &url)]).unwrap();
    let shown = format!("{config:?}{}", config.effective_toml_masked().unwrap());
    assert!(!shown.contains(secret) && shown.contains("********"), "{shown}");
    for file in [
        format!("[database]\nurl = 'mysql://{secret}@x'"),
        format!("[database]\nurl = 'postgres://{secret}"),
        format!("[nats]\nurl = ['{secret}']"),
    ] {
        let faults = with(&file, &[]).unwrap_err();
        assert!(!faults.contains(secret), "{faults}");
    }
}

#[test]
fn a_bucket_is_named_without_keys_and_its_secret_is_masked() {
    let url = |url: &str| with("", &[("MILLRACE_OBJECTS__URL", url)]).map(|c| c.objects);
    for wrong in [
        "https://x",
        "file://elsewhere/x",
        "s3://me:hunter2@mill/x",
        "s3:///x",
        "gs://mill?hunter2",
        "az://mill:1",
    ] {
        let faults = url(wrong).unwrap_err();
        assert!(faults.contains("objects.url: must "), "{faults}");
        assert!(!faults.contains("hunter2"), "{faults}");
    }
    let faults = with("[objects]\nregion = 'x'\nsecret = 'hunter2'", &[]).unwrap_err();
    assert!(faults.contains("objects.region: is of use with a bucket"), "{faults}");
    assert!(faults.contains("objects.secret: is of use with a bucket"), "{faults}");
    let file = "[objects]\nurl = 's3://mill/a/b'\nendpoint = 'http://x:1'\naccount = 'me'\nsecret = 'hunter2'";
    match with(file, &[]) {
        Ok(config) if cfg!(feature = "cloud-objects") => {
            let shown = format!("{config:?}{}", config.effective_toml_masked().unwrap());
            assert!(!shown.contains("hunter2") && shown.contains("********"), "{shown}");
        }
        Err(faults) if !cfg!(feature = "cloud-objects") => {
            assert!(faults.contains("build it with `--features cloud-objects`"), "{faults}");
            assert_eq!(faults.lines().count(), 2, "{faults}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_toml() {
    let missing = Config::from_sources(Some(Path::new("/nowhere/m.toml")), []).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/m.toml: "), "{missing}");
    let by_variable = variables(&[("MILLRACE_CONFIG", "/nowhere/v.toml")]);
    let missing = Config::from_sources(None, by_variable).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/v.toml: "), "{missing}");
    let faults = with("[server]\nlisten = = 1", &[("MILLRACE_LOG__FORMAT", "xml")]).unwrap_err();
    assert!(faults.contains("millrace.toml line 2: "), "{faults}");
    assert!(faults.contains("MILLRACE_LOG__FORMAT: unknown variant `xml`"), "{faults}");
}

#[test]
fn master_keys_are_read_and_never_shown() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let config = with("", &[("MILLRACE_VAULT__KEYS", key)]).unwrap();
    assert_eq!(config.vault.keys.as_ref().unwrap().expose(), key);
    assert!(!config.effective_toml_masked().unwrap().contains(key));
    let bad = with("[vault]\nfile = '/a'", &[("MILLRACE_VAULT__KEYS", "hunter2")]).unwrap_err();
    assert!(bad.contains("vault.keys") && bad.contains("vault.file"), "{bad}");
    assert!(!bad.contains("hunter2"), "{bad}");
}

#[test]
fn a_limit_is_written_as_requests_in_seconds_and_may_have_a_burst() {
    let pairs =
        [("MILLRACE_LIMITS__ADDRESS", "50/600s burst 5"), ("MILLRACE_LIMITS__USER", "9/1s")];
    let limits = with("[limits]\nkey = '7/60s'", &pairs).unwrap().limits;
    assert_eq!(
        (limits.address.requests, limits.address.seconds, limits.address.burst),
        (50, 600, 5)
    );
    assert_eq!((limits.user.burst, limits.key.burst), (9, 7));
    for bad in ["50", "50/600", "50/600s burst", "0/60s", "5/0s", "5/60s burst 6", "x/60s"] {
        let fault = with("", &[("MILLRACE_LIMITS__LOGIN", bad)]).unwrap_err();
        assert!(fault.contains("LIMITS__LOGIN") || fault.contains("limits.login"), "{fault}");
    }
}

#[test]
fn providers_are_read_from_the_file_and_faults_of_theirs_are_named() {
    let google = "[server]\npublic_url = 'https://mill.example'\n[[login.providers]]\nname = 'google'\n\
                  issuer = 'https://accounts.google.com'\nclient_id = 'mill'\nclient_secret = 'hunter2'";
    let config = with(google, &[]).unwrap();
    let options = config.login.options();
    assert_eq!(options.providers[0].scopes, ["openid", "email", "profile"]);
    let shown = format!("{config:?}{options:?}{}", config.effective_toml_masked().unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");

    let inline =
        r#"[{name = "git", kind = "github", issuer = "https://github.com", client_id = "1"}]"#;
    let public = ("MILLRACE_SERVER__PUBLIC_URL", "https://mill.example");
    assert!(with("", &[public, ("MILLRACE_LOGIN__PROVIDERS", inline)]).is_ok());

    let faults = with(
        "[login]\nlegacy_secret = 'short'\n\
         [[login.providers]]\nname = 'A b'\nissuer = 'http://id.example'\nclient_secret = 'x'\n\
         [[login.providers]]\nname = 'many'\nissuer = 'https://login.example/{tenantid}/v2.0'\n\
         client_id = 'c'\ntrusts_addresses = true\n\
         [[login.providers]]\nname = 'many'\nissuer = 'https://mill.example/'\nclient_id = 'c'",
        &[public],
    )
    .unwrap_err();
    for wanted in [
        "login.legacy_secret: the secret of the older backend's tokens has at least 32 bytes",
        "login.providers.name: `A b` is not small letters",
        "login.providers.issuer of `A b`: its URLs must begin with https://",
        "login.providers.client_secret of `A b`: is of use with client_id only",
        "login.providers.client_id of `A b`: neither it nor audiences",
        "login.providers.authoritative of `many`: whoever has a tenant there",
        "login.providers.name: `many` is there twice",
        "login.providers.issuer: we are this issuer ourselves",
    ] {
        assert!(faults.contains(wanted), "no `{wanted}` in\n{faults}");
    }
    let alone = "[[login.providers]]\nname = 'a'\nissuer = 'https://id.example'\nclient_id = 'c'";
    assert!(with(alone, &[]).unwrap_err().contains("server.public_url"));
}
