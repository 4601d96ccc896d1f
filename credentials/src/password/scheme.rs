use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};

use super::{MAX_BYTES, OptionsError, PasswordOptions};

/// Bounds of what a stored hash may demand. An imported one could otherwise ask for all the memory.
pub(super) const MAX_MEMORY_KIB: u32 = 256 * 1024;
pub(super) const MAX_ITERATIONS: u32 = 16;
pub(super) const MAX_PARALLELISM: u32 = 16;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=15;

/// Bytes of a salt.
const SALT_LEN: usize = 16;

/// Whether a password is the one that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and stored in an older way: hash it anew and store that.
    Outdated,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    #[error("the stored password hash is neither Argon2id nor bcrypt, or is damaged")]
    Unreadable,
    #[error("the stored password hash demands more than this installation spends on one")]
    TooCostly,
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

/// Hashes by Argon2id and also reads bcrypt. Every method takes tens of milliseconds of one core.
#[derive(Debug, Clone)]
pub struct Scheme {
    argon2: Argon2<'static>,
    /// The hash of no password, for the time it takes to compare with one.
    absent: String,
}

impl Scheme {
    pub fn new(options: &PasswordOptions) -> Result<Self, OptionsError> {
        let params = params(options)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let absent = argon2
            .hash_password_with_salt(b"", &[0; SALT_LEN])
            .map_err(|_| OptionsError::Memory)?
            .to_string();
        Ok(Self { argon2, absent })
    }

    /// The text to store, in the PHC form.
    pub fn hash(
        &self,
        password: &SecretString,
        salt: [u8; SALT_LEN],
    ) -> Result<String, SchemeError> {
        let hash = self.argon2.hash_password_with_salt(bounded(password)?, &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| SchemeError::Failed(error.to_string()))
    }

    /// Whether a hash that was made elsewhere can be stored. It costs no work.
    pub fn check(stored: &str) -> Result<(), SchemeError> {
        if is_bcrypt(stored) { read_bcrypt(stored) } else { read_argon2(stored).map(drop) }
    }

    pub fn verify(&self, password: &SecretString, stored: &str) -> Result<Verdict, SchemeError> {
        let password = bounded(password)?;
        if is_bcrypt(stored) {
            return verify_bcrypt(password, stored);
        }
        let (parsed, params) = read_argon2(stored)?;
        match self.argon2.verify_password(password, &parsed) {
            Ok(()) if self.is_current(&parsed, &params) => Ok(Verdict::Right),
            Ok(()) => Ok(Verdict::Outdated),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
            Err(error) => Err(SchemeError::Failed(error.to_string())),
        }
    }

    /// Takes as long as [`Self::verify`] with a current hash and never says yes: for a login to an
    /// account that does not exist, so that its answer's time does not tell.
    pub fn verify_absent(&self, password: &SecretString) -> Result<Verdict, SchemeError> {
        self.verify(password, &self.absent).map(|_| Verdict::Wrong)
    }

    fn is_current(&self, stored: &PasswordHash, params: &Params) -> bool {
        let own = self.argon2.params();
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let salted = stored.salt.as_ref().is_some_and(|salt| salt.len() >= SALT_LEN);
        let long =
            stored.hash.as_ref().is_some_and(|hash| hash.len() >= Params::DEFAULT_OUTPUT_LEN);
        let newest = stored.version == Some(Version::V0x13.into());
        costs(params) == costs(own) && salted && long && newest
    }
}

fn read_argon2(stored: &str) -> Result<(PasswordHash, Params), SchemeError> {
    let parsed = PasswordHash::new(stored).map_err(|_| SchemeError::Unreadable)?;
    let params = Params::try_from(&parsed).map_err(|_| SchemeError::Unreadable)?;
    if parsed.algorithm != Algorithm::Argon2id.ident() || parsed.hash.is_none() {
        return Err(SchemeError::Unreadable);
    }
    if costly(&params) { Err(SchemeError::TooCostly) } else { Ok((parsed, params)) }
}

fn is_bcrypt(stored: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix))
}

fn read_bcrypt(stored: &str) -> Result<(), SchemeError> {
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| SchemeError::Unreadable)?;
    let known = BCRYPT_COSTS.contains(&parts.get_cost());
    if known { Ok(()) } else { Err(SchemeError::TooCostly) }
}

/// bcrypt looks at 72 bytes and no more, as it did when the hash was made.
fn verify_bcrypt(password: &[u8], stored: &str) -> Result<Verdict, SchemeError> {
    read_bcrypt(stored)?;
    match bcrypt::verify(password, stored) {
        Ok(true) => Ok(Verdict::Outdated),
        Ok(false) => Ok(Verdict::Wrong),
        Err(_) => Err(SchemeError::Unreadable),
    }
}

fn bounded(password: &SecretString) -> Result<&[u8], SchemeError> {
    let bytes = password.expose_secret().as_bytes();
    if bytes.len() > MAX_BYTES { Err(SchemeError::TooLong) } else { Ok(bytes) }
}

fn costly(params: &Params) -> bool {
    params.m_cost() > MAX_MEMORY_KIB
        || params.t_cost() > MAX_ITERATIONS
        || params.p_cost() > MAX_PARALLELISM
}

fn params(options: &PasswordOptions) -> Result<Params, OptionsError> {
    if !(1..=MAX_ITERATIONS).contains(&options.iterations) {
        return Err(OptionsError::Iterations);
    }
    if !(1..=MAX_PARALLELISM).contains(&options.parallelism) {
        return Err(OptionsError::Parallelism);
    }
    if options.memory_kib > MAX_MEMORY_KIB {
        return Err(OptionsError::Memory);
    }
    Params::new(options.memory_kib, options.iterations, options.parallelism, None)
        .map_err(|_| OptionsError::Memory)
}

#[cfg(test)]
mod tests;
