use std::fs;
use std::path::{Path, PathBuf};

use super::USER;
use crate::identity::Identity;
use crate::{Error, data_dir};

const TAIL_BYTES: usize = 2 << 10;

pub struct Config {
    pub folder: PathBuf,
    /// The server finds a free one when absent.
    pub port: Option<u16>,
    pub password: Option<String>,
    pub max_payload_bytes: u32,
    pub max_store_bytes: u64,
}

impl Config {
    pub fn ports(&self) -> PathBuf {
        self.folder.join("ports")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("nats.log")
    }

    pub fn write(&self, identity: &Identity) -> Result<PathBuf, Error> {
        let file = self.folder.join("nats.conf");
        data_dir::private_file(&file, &self.text(), identity)?;
        Ok(file)
    }

    /// The server's own log, rotated by it: on its error stream it would die of the closed pipe, and
    /// not in order, when this process is killed.
    fn text(&self) -> String {
        let authorization = self.password.as_ref().map_or_else(String::new, |password| {
            format!("authorization {{ user: {USER}, password: \"{password}\" }}\n")
        });
        format!(
            "server_name: millrace\n\
             host: 127.0.0.1\n\
             port: {port}\n\
             ports_file_dir: {ports}\n\
             log_file: {log}\n\
             logfile_size_limit: 8MB\n\
             logfile_max_num: 2\n\
             max_payload: {max_payload}\n\
             {authorization}\
             jetstream {{ store_dir: {store}, max_memory_store: 64MB, max_file_store: {max_store} }}\n",
            port = self.port.map_or(-1, i32::from),
            ports = quote(&self.ports()),
            log = quote(&self.log()),
            max_payload = self.max_payload_bytes,
            store = quote(&self.folder.join("store")),
            max_store = self.max_store_bytes,
        )
    }

    pub fn log_tail(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let from = text.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&text[from..]).trim_end().to_owned()
    }
}

fn quote(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
