use std::fmt;

use crate::{Key, installation::derive};

/// Tells master keys apart. Made from the key, so that nobody has to keep a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterId(pub [u8; Self::LEN]);

impl MasterId {
    pub const LEN: usize = 8;
}

impl fmt::Display for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MasterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterId({self})")
    }
}

/// The key that wraps others.
#[derive(Debug)]
pub struct MasterKey {
    id: MasterId,
    key: Key,
}

impl MasterKey {
    pub fn new(key: Key) -> Self {
        let mut id = [0; MasterId::LEN];
        id.copy_from_slice(&derive(&key, "master key id", "").expose()[..MasterId::LEN]);
        Self { id: MasterId(id), key }
    }

    pub fn id(&self) -> MasterId {
        self.id
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}
