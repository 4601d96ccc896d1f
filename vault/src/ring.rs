use std::collections::BTreeMap;

use rand::CryptoRng;

use crate::{Key, MasterId, MasterKey, Owner, UnwrapError, Wrapped, aead};

/// Master keys at hand: one that wraps, and older ones that still unwrap.
///
/// To change the master key, give the new one as the current and the former as an older one, rewrap
/// what is stored, and then leave the former out.
#[derive(Debug)]
pub struct KeyRing {
    current: MasterId,
    keys: BTreeMap<MasterId, MasterKey>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    #[error("no master key was given")]
    Empty,
    #[error("the master key {0} was given twice")]
    Twice(MasterId),
    #[error("more than {} master keys were given", KeyRing::MAX_KEYS)]
    TooMany,
}

impl KeyRing {
    /// A ring that grows beyond this is not being cleaned up.
    pub const MAX_KEYS: usize = 16;

    /// The first key is the current one.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyRingError> {
        let mut current = None;
        let mut known = BTreeMap::new();
        for key in keys.into_iter().map(MasterKey::new) {
            let id = key.id();
            current.get_or_insert(id);
            if known.insert(id, key).is_some() {
                return Err(KeyRingError::Twice(id));
            }
            if known.len() > Self::MAX_KEYS {
                return Err(KeyRingError::TooMany);
            }
        }
        Ok(Self { current: current.ok_or(KeyRingError::Empty)?, keys: known })
    }

    /// The key that wraps.
    pub fn current(&self) -> MasterId {
        self.current
    }

    pub fn ids(&self) -> impl Iterator<Item = MasterId> {
        self.keys.keys().copied()
    }

    pub fn wrap(
        &self,
        owner: Owner<'_>,
        key: &Key,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Wrapped {
        let sealed = aead::seal(self.keys[&self.current].key(), &owner.bound(), key.expose(), rng);
        sealed
            .and_then(|sealed| Wrapped::new(self.current, &sealed))
            .expect("a sealed key always has the same length")
    }

    pub fn unwrap(&self, owner: Owner<'_>, wrapped: &Wrapped) -> Result<Key, UnwrapError> {
        let master = self
            .keys
            .get(&wrapped.master())
            .ok_or_else(|| UnwrapError::UnknownMaster(wrapped.master()))?;
        aead::open(master.key(), &owner.bound(), wrapped.sealed())
            .and_then(|bytes| Key::from_slice(&bytes))
            .ok_or(UnwrapError::Refused)
    }

    /// The same key under the current master key; `None` when it is under it already.
    pub fn rewrap(
        &self,
        owner: Owner<'_>,
        wrapped: &Wrapped,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Option<Wrapped>, UnwrapError> {
        if wrapped.master() == self.current {
            return Ok(None);
        }
        let key = self.unwrap(owner, wrapped)?;
        Ok(Some(self.wrap(owner, &key, rng)))
    }
}

#[cfg(test)]
mod tests;
