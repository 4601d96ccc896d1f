//! Secrets of an installation, and personal data at rest.
//!
//! A master key from outside wraps two kinds of keys: one data key per person, and one secret of the
//! installation. The database keeps them only as [`Wrapped`]. Under a person's [`DataKey`] the fields
//! that tell who they are get sealed; forgetting the key makes every copy of them unreadable. From
//! the [`InstallationSecret`] come the keys of blind indices, of one-time links and of whatever else
//! needs one, each under a label of its own.
//!
//! No key has a `Display`, a `Serialize` or a telling `Debug`, and each is wiped when it is dropped.

mod aead;
mod binding;
mod email;
mod index;
mod installation;
mod key;
mod links;
mod master;
mod ring;
mod rotation;
mod sealed;
mod source;
mod wrapped;

pub use email::{EmailError, NormalEmail};
pub use index::{BlindIndex, IndexValue};
pub use installation::{InstallationSecret, MacKey};
pub use key::{KEY_LEN, Key};
pub use links::{LinkKey, LinkToken};
pub use master::{MasterId, MasterKey};
pub use ring::{KeyRing, KeyRingError};
pub use rotation::KeySource;
pub use sealed::{Access, DataKey, MAX_PLAIN, OpenError, Opened, Place, SealError};
pub use source::{SourceError, load, load_or_generate, parse};
pub use wrapped::{Owner, UnwrapError, Wrapped};
