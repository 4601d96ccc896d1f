//! The documents that other systems build against, generated from the types.

mod asyncapi;
mod events;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// What is written, by path below the folder.
pub type Files = BTreeMap<PathBuf, String>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} could not be read or written")]
    File(PathBuf, #[source] io::Error),
    #[error("a document could not be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("a document could not be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
    #[error("the type of {0} has no schema of its own")]
    NoSchema(&'static str),
}

/// Every generated document, as it should be.
pub fn generate() -> Result<Files, Error> {
    let mut files = Files::new();
    let schemas = events::schemas()?;
    for (event_type, schema) in &schemas {
        let path = format!("events/{}.v{}.json", event_type.name, event_type.version);
        files.insert(path.into(), pretty(schema)?);
    }
    files.insert("asyncapi.yaml".into(), asyncapi::document(&schemas)?);
    let (json, _yaml) = api::openapi();
    let openapi: Value = serde_json::from_str(&json)?;
    files.insert("openapi.json".into(), pretty(&openapi)?);
    Ok(files)
}

/// Writes the documents into `folder` and removes generated ones that are no longer made.
pub fn write(folder: &Path, files: &Files) -> Result<(), Error> {
    for (path, contents) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| Error::File(parent.to_owned(), error))?;
        fs::write(&path, contents).map_err(|error| Error::File(path.clone(), error))?;
    }
    for stale in leftovers(folder, files)? {
        fs::remove_file(&stale).map_err(|error| Error::File(stale.clone(), error))?;
    }
    Ok(())
}

/// The paths whose contents differ from what they should be.
pub fn outdated(folder: &Path, files: &Files) -> Result<Vec<PathBuf>, Error> {
    let mut outdated = leftovers(folder, files)?;
    for (path, contents) in files {
        let path = folder.join(path);
        match fs::read_to_string(&path) {
            Ok(present) if present == *contents => {}
            Ok(_) => outdated.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => outdated.push(path),
            Err(error) => return Err(Error::File(path, error)),
        }
    }
    Ok(outdated)
}

fn leftovers(folder: &Path, files: &Files) -> Result<Vec<PathBuf>, Error> {
    let events = folder.join("events");
    let entries = match fs::read_dir(&events) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::File(events, error)),
    };
    let mut leftovers = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Error::File(events.clone(), error))?.path();
        if path.strip_prefix(folder).is_ok_and(|relative| !files.contains_key(relative)) {
            leftovers.push(path);
        }
    }
    Ok(leftovers)
}

fn pretty(value: &Value) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&sorted(value.clone()))? + "\n")
}

/// Whatever order serde_json was built to keep, the documents are the same.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}
