//! Where the private servers of a running `millrace up` can be reached, for the operator commands.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Kept in the data directory, readable by its owner alone: the addresses hold logins.
#[derive(Clone, Serialize, Deserialize)]
pub struct Endpoints {
    pub database: String,
    pub nats: String,
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}

impl Endpoints {
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let path = file(data_dir);
        remove(data_dir)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&serde_json::to_vec(self)?)
    }

    /// Of the installation that runs on the data directory, if one does.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(file(data_dir)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub fn remove(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(file(data_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
