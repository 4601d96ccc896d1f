use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Faults;

pub const DATA_DIR: &str = "data_dir";
const FILE: &str = "millrace.toml";
const FILE_VARIABLE: &str = "MILLRACE_CONFIG";
const PREFIX: &str = "MILLRACE_";
/// The customary names, taken before ours.
const CUSTOMARY: [(&str, &str, &str); 2] =
    [("DATABASE_URL", "database", "url"), ("NATS_URL", "nats", "url")];

/// A section of the configuration: flat, every key with a default.
pub trait Section: DeserializeOwned + Default {
    const NAME: &'static str;

    /// Adds what the types cannot tell.
    fn check(&self, faults: &mut Faults);
}

/// What was given for one key, where, and in what forms it can be read. Later forms are tried when
/// the key's type refuses earlier ones: a variable's text does not say whether it is a number.
struct Given {
    place: String,
    forms: Vec<Value>,
}

/// The keys given by the file and the variables, by section; those outside sections under "".
pub struct Layers(BTreeMap<String, BTreeMap<String, Given>>);

impl Layers {
    pub fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        faults: &mut Faults,
    ) -> Self {
        let mut layers = Self(BTreeMap::new());
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let named = variables.get(&OsString::from(FILE_VARIABLE)).map(PathBuf::from);
        layers.read_file(file.map(Path::to_owned).or(named), faults);
        for (name, section, key) in CUSTOMARY {
            if let Some(text) = variables.get(&OsString::from(name)) {
                layers.put_text(name, section, key, text.clone(), faults);
            }
        }
        for (name, text) in variables {
            let name = name.to_string_lossy();
            if let Some(path) = name.strip_prefix(PREFIX)
                && name != FILE_VARIABLE
            {
                let path = path.to_lowercase();
                let (section, key) = path.split_once("__").unwrap_or(("", &path));
                layers.put_text(&name, section, key, text, faults);
            }
        }
        layers
    }

    /// A file that was named must be there.
    fn read_file(&mut self, named: Option<PathBuf>, faults: &mut Faults) {
        let path = named.clone().unwrap_or_else(|| FILE.into());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return faults.add(path.display(), error),
        };
        match text.parse::<Table>() {
            Ok(table) => self.put_file(&path, table),
            // The message alone: the whole error quotes the line, which may hold a secret.
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(1, |before| before.matches('\n').count() + 1);
                faults.add(format_args!("{} line {line}", path.display()), error.message());
            }
        }
    }

    fn put_file(&mut self, path: &Path, table: Table) {
        for (name, value) in table {
            let (section, keys) = match value {
                Value::Table(keys) => (name, keys),
                value => (String::new(), Table::from_iter([(name, value)])),
            };
            let given = self.0.entry(section.clone()).or_default();
            for (key, value) in keys {
                let dot = if section.is_empty() { "" } else { "." };
                let place = format!("{section}{dot}{key} in {}", path.display());
                given.insert(key, Given { place, forms: vec![value] });
            }
        }
    }

    fn put_text(
        &mut self,
        name: &str,
        section: &str,
        key: &str,
        text: OsString,
        faults: &mut Faults,
    ) {
        let Ok(text) = text.into_string() else { return faults.add(name, "is not UTF-8 text") };
        let parsed = format!("x = {text}").parse::<Table>().ok();
        let list = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let list = Value::Array(list.map(|item| Value::String(item.to_owned())).collect());
        let parsed = parsed.and_then(|mut table| table.remove("x"));
        let forms = [Some(Value::String(text)), parsed, Some(list)].into_iter().flatten().collect();
        let given = Given { place: name.to_owned(), forms };
        self.0.entry(section.to_owned()).or_default().insert(key.to_owned(), given);
    }

    /// Takes a section. Each key is tried by itself, so that one fault does not hide another; a key
    /// that cannot be read leaves the default, which is checked along with the rest.
    pub fn section<S: Section>(&mut self, faults: &mut Faults) -> S {
        let mut sound = Table::new();
        for (key, given) in self.0.remove(S::NAME).unwrap_or_default() {
            let read = given
                .read(|form| Table::from_iter([(key.clone(), form)]).try_into::<S>().map(drop));
            match read {
                Ok(((), form)) => drop(sound.insert(key, form)),
                Err(error) => faults.add(given.place, error),
            }
        }
        let section: S = sound.try_into().unwrap_or_else(|error: toml::de::Error| {
            faults.add(S::NAME, error.message());
            S::default()
        });
        section.check(faults);
        section
    }

    /// Takes a key that is in no section.
    pub fn top<T: DeserializeOwned>(&mut self, key: &str, faults: &mut Faults) -> Option<T> {
        let given = self.0.get_mut("")?.remove(key)?;
        match given.read(Value::try_into::<T>) {
            Ok((value, _)) => Some(value),
            Err(error) => {
                faults.add(given.place, error);
                None
            }
        }
    }

    /// What nobody took is unknown.
    pub fn refuse_rest(self, faults: &mut Faults) {
        for (section, keys) in self.0 {
            let fault = if section.is_empty() { "unknown key" } else { "unknown section" };
            if keys.is_empty() && !section.is_empty() {
                faults.add(format_args!("[{section}]"), fault);
            }
            for given in keys.into_values() {
                faults.add(given.place, fault);
            }
        }
    }
}

impl Given {
    /// The first form the type takes, else what it says of the one that came closest: a right type
    /// with a wrong value, or the value the text looks like.
    fn read<T>(
        &self,
        take: impl Fn(Value) -> Result<T, toml::de::Error>,
    ) -> Result<(T, Value), String> {
        let mut errors = Vec::new();
        for form in &self.forms {
            match take(form.clone()) {
                Ok(value) => return Ok((value, form.clone())),
                Err(error) => errors.push(error.message().to_owned()),
            }
        }
        let right_type = errors.iter().position(|error| !error.starts_with("invalid type"));
        let closest = right_type.unwrap_or(usize::from(errors.len() > 2));
        Err(errors.swap_remove(closest))
    }
}
