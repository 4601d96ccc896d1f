use std::fmt;

use crate::{
    MasterId,
    aead::{NONCE_LEN, TAG_LEN},
    binding::bind,
    key::KEY_LEN,
};

const VERSION: u8 = 1;
const SEALED_LEN: usize = NONCE_LEN + KEY_LEN + TAG_LEN;

/// Whose key it is. A key that was wrapped for one owner cannot be unwrapped for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The id of a person.
    Subject(&'a str),
    Installation,
}

impl Owner<'_> {
    pub(crate) fn bound(self) -> Vec<u8> {
        match self {
            Self::Subject(id) => bind("subject key", &[id]),
            Self::Installation => bind("installation secret", &[]),
        }
    }
}

/// A key as the database keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    master: MasterId,
    sealed: [u8; SEALED_LEN],
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    #[error("a wrapped key has {} bytes and begins with its version, {VERSION}", Wrapped::LEN)]
    Malformed,
    #[error(
        "the key is wrapped under the master key {0}, which was not given; add it to the others"
    )]
    UnknownMaster(MasterId),
    #[error("the wrapped key was changed, or is the key of another")]
    Refused,
}

impl Wrapped {
    /// Bytes that [`Self::to_bytes`] gives.
    pub const LEN: usize = 1 + MasterId::LEN + SEALED_LEN;

    /// `None` when there are not as many bytes as sealing a key gives.
    pub(crate) fn new(master: MasterId, sealed: &[u8]) -> Option<Self> {
        Some(Self { master, sealed: sealed.try_into().ok()? })
    }

    pub fn master(&self) -> MasterId {
        self.master
    }

    pub(crate) fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [VERSION; Self::LEN];
        bytes[1..][..MasterId::LEN].copy_from_slice(&self.master.0);
        bytes[1 + MasterId::LEN..].copy_from_slice(&self.sealed);
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnwrapError> {
        let parts = bytes.split_first().and_then(|(version, rest)| {
            let (master, sealed) = rest.split_first_chunk()?;
            (*version == VERSION).then_some((MasterId(*master), sealed))
        });
        let (master, sealed) = parts.ok_or(UnwrapError::Malformed)?;
        Self::new(master, sealed).ok_or(UnwrapError::Malformed)
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapped").field("master", &self.master).finish_non_exhaustive()
    }
}
