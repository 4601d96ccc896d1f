use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::Error;

const POSTGRES_FLOOR: u32 = 15;
const NATS_FLOOR: (u32, u32) = (2, 10);
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// The folder that holds `postgres` and `initdb`, of the major version `wanted` when there is one.
pub fn postgres(configured: Option<&Path>, wanted: Option<(u32, &Path)>) -> Result<PathBuf, Error> {
    let mut found = Vec::new();
    for folder in postgres_folders(configured) {
        let (major, _, text) = version(&folder.join("postgres"))?;
        found.push((major, text, folder));
    }
    found.sort_by_key(|(major, ..)| std::cmp::Reverse(*major));
    let Some((newest, text, folder)) = found.first() else {
        return Err(Error::NotFound {
            program: "postgres",
            searched: "on PATH or below /usr/lib/postgresql",
            option: "database.binaries",
        });
    };
    if *newest < POSTGRES_FLOOR {
        let path = folder.join("postgres");
        return Err(Error::TooOld { path, found: text.clone(), floor: "15" });
    }
    let Some((wanted, data)) = wanted else { return Ok(folder.clone()) };
    match found.iter().find(|(major, ..)| *major == wanted) {
        Some((_, _, folder)) => Ok(folder.clone()),
        None => {
            let found: Vec<_> = found.iter().map(|(_, text, _)| text.as_str()).collect();
            Err(Error::OtherMajor { data: data.to_owned(), wanted, found: found.join(", ") })
        }
    }
}

pub fn nats(configured: Option<&Path>) -> Result<PathBuf, Error> {
    let found = match configured {
        Some(path) => Some(path.to_owned()),
        None => on_path().map(|folder| folder.join("nats-server")).find(|path| path.is_file()),
    };
    let path = found.ok_or(Error::NotFound {
        program: "nats-server",
        searched: "on PATH",
        option: "nats.binary",
    })?;
    let (major, minor, text) = version(&path)?;
    if (major, minor) < NATS_FLOOR {
        return Err(Error::TooOld { path, found: text, floor: "2.10" });
    }
    Ok(path)
}

fn postgres_folders(configured: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = configured {
        return vec![folder.to_owned()];
    }
    let debian = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten();
    let candidates = on_path().chain(debian.map(|entry| entry.path().join("bin")));
    candidates
        .filter(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file())
        .collect()
}

/// PATH, and the folder of system servers that is often missing from a user's PATH.
fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    folders.into_iter().chain([PathBuf::from("/usr/sbin")])
}

/// Major, minor and the whole text of what `--version` answers: `postgres (PostgreSQL) 15.13 (Debian
/// 15.13-0)`, `nats-server: v2.10.27`.
fn version(program: &Path) -> Result<(u32, u32, String), Error> {
    let output =
        Command::new(program)
            .arg(OsStr::new("--version"))
            .stdin(Stdio::null())
            .output()
            .map_err(|source| Error::Spawn { program: program.display().to_string(), source })?;
    let answer: String = String::from_utf8_lossy(&output.stdout).trim().chars().take(200).collect();
    parse_version(&answer).ok_or_else(|| Error::UnknownVersion { path: program.to_owned(), answer })
}

fn parse_version(answer: &str) -> Option<(u32, u32, String)> {
    let text = answer
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut numbers = text.split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u32>().ok()
    });
    Some((numbers.next()??, numbers.next().flatten().unwrap_or(0), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_servers_are_understood() {
        let postgres = parse_version("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)");
        assert_eq!(postgres, Some((15, 13, "15.13".to_owned())));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1").map(|v| v.0), Some(18));
        assert_eq!(parse_version("nats-server: v2.10.27"), Some((2, 10, "2.10.27".to_owned())));
        assert_eq!(parse_version("segmentation fault"), None);
    }

    #[test]
    fn an_old_nats_server_is_refused_with_the_way_out() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let fake = folder.path().join("nats-server");
        fs::write(&fake, "#!/bin/sh\necho nats-server: v2.9.10\n").unwrap();
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let error = nats(Some(&fake)).unwrap_err().to_string();
        assert!(error.contains("version 2.9.10, and 2.10 or newer is needed"), "{error}");
    }
}
