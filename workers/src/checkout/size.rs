use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Limits;

const POLL: Duration = Duration::from_millis(500);

/// Returns when the folder has grown over the limits; otherwise never.
pub(super) async fn outgrown(folder: &Path, limits: Limits) {
    while fits(folder, limits).await {
        tokio::time::sleep(POLL).await;
    }
}

pub(super) async fn fits(folder: &Path, limits: Limits) -> bool {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || count(folder, limits)).await.unwrap_or(false)
}

/// Stops counting at the limits. What vanishes while git works is not counted.
fn count(folder: PathBuf, limits: Limits) -> bool {
    let (mut bytes, mut files) = (0_u64, 0_u64);
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            files += 1;
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                bytes = bytes.saturating_add(about.len());
            }
            if bytes > limits.bytes || files > limits.files {
                return false;
            }
        }
    }
    true
}
