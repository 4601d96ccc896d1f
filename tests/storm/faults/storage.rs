//! Files of the nats-server that are not what it left behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone, Copy)]
pub enum Loss {
    /// The last half of the newest block of EVENTS.
    Half,
    /// The messages of EVENTS.
    Messages,
    /// Every stream.
    All,
}

impl Loss {
    pub const ALL: [Self; 3] = [Self::Half, Self::Messages, Self::All];

    /// To be called while the server is down.
    pub fn inflict(self, store: &Path) {
        match self {
            Self::All => empty(store),
            Self::Messages | Self::Half => {
                let Some(messages) = messages_of_events(store) else { return };
                if matches!(self, Self::Messages) {
                    fs::remove_dir_all(messages).unwrap();
                } else {
                    cut_back(&messages);
                }
            }
        }
    }
}

fn messages_of_events(store: &Path) -> Option<PathBuf> {
    let accounts = fs::read_dir(store.join("jetstream")).ok()?;
    let folders = accounts.map(|account| account.unwrap().path().join("streams/EVENTS/msgs"));
    folders.into_iter().find(|folder| folder.is_dir())
}

fn cut_back(messages: &Path) {
    let files = fs::read_dir(messages).unwrap().map(|entry| entry.unwrap().path());
    let blocks = files.filter(|path| path.extension().is_some_and(|name| name == "blk"));
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let Some(newest) = blocks.max_by_key(number) else { return };
    let file = fs::OpenOptions::new().write(true).open(newest).unwrap();
    let bytes = file.metadata().unwrap().len();
    file.set_len(bytes / 2).unwrap();
}

fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
}
