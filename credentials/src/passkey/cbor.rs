use ciborium::{Value, de::from_reader_with_recursion_limit};

/// Nothing that an authenticator sends lies deeper.
const MAX_DEPTH: usize = 8;

/// The first value of the bytes and what follows it.
pub fn first(bytes: &[u8]) -> Option<(Map, &[u8])> {
    let mut rest = bytes;
    match from_reader_with_recursion_limit(&mut rest, MAX_DEPTH).ok()? {
        Value::Map(entries) => Some((Map(entries), rest)),
        _ => None,
    }
}

/// The bytes as one map and nothing more.
pub fn only(bytes: &[u8]) -> Option<Map> {
    first(bytes).filter(|(_, rest)| rest.is_empty()).map(|(map, _)| map)
}

#[derive(Debug)]
pub struct Map(Vec<(Value, Value)>);

impl Map {
    /// `None` also when the key is there twice.
    fn get(&self, key: &Value) -> Option<&Value> {
        let mut found = self.0.iter().filter(|(own, _)| own == key);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, key: impl Into<Value>) -> bool {
        let key = key.into();
        self.0.iter().any(|(own, _)| *own == key)
    }

    pub fn bytes(&self, key: impl Into<Value>) -> Option<&[u8]> {
        self.get(&key.into())?.as_bytes().map(Vec::as_slice)
    }

    pub fn text(&self, key: impl Into<Value>) -> Option<&str> {
        self.get(&key.into())?.as_text()
    }

    pub fn integer(&self, key: impl Into<Value>) -> Option<i64> {
        self.get(&key.into())?.as_integer()?.try_into().ok()
    }

    pub fn map(&self, key: impl Into<Value>) -> Option<Self> {
        self.get(&key.into())?.as_map().cloned().map(Self)
    }
}
