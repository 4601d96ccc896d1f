//! Authenticator data (section 6.1 of the standard).

use super::{CeremonyError, RelyingParty, UserVerificationRequirement, cbor, cose::CoseKey};

/// Bytes of the longest credential id (section 5.8.3).
const MAX_CREDENTIAL_ID: usize = 1023;

const UP: u8 = 1;
const UV: u8 = 1 << 2;
const BE: u8 = 1 << 3;
const BS: u8 = 1 << 4;
const AT: u8 = 1 << 6;
const ED: u8 = 1 << 7;

#[derive(Debug)]
pub struct AuthenticatorData {
    rp_id_hash: [u8; 32],
    flags: u8,
    pub sign_count: u32,
    pub attested: Option<AttestedCredentialData>,
}

#[derive(Debug)]
pub struct AttestedCredentialData {
    pub aaguid: [u8; 16],
    pub credential_id: Vec<u8>,
    /// The key as it was given, to be stored.
    pub public_key: Vec<u8>,
    pub key: CoseKey,
}

impl AuthenticatorData {
    pub fn parse(bytes: &[u8]) -> Result<Self, CeremonyError> {
        const MALFORMED: CeremonyError = CeremonyError::Malformed("authenticator data");
        let (rp_id_hash, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        let (flags, rest) = rest.split_first().ok_or(MALFORMED)?;
        let (sign_count, mut rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let mut attested = None;
        if flags & AT != 0 {
            let (data, after) = AttestedCredentialData::read(rest)?;
            (attested, rest) = (Some(data), after);
        }
        if flags & ED != 0 {
            (_, rest) = cbor::first(rest).ok_or(CeremonyError::Malformed("extensions"))?;
        }
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let sign_count = u32::from_be_bytes(*sign_count);
        Ok(Self { rp_id_hash: *rp_id_hash, flags: *flags, sign_count, attested })
    }

    /// The steps that both ceremonies share.
    pub fn check(
        &self,
        relying_party: &RelyingParty,
        verification: UserVerificationRequirement,
    ) -> Result<(), CeremonyError> {
        if self.rp_id_hash != relying_party.id_hash() {
            return Err(CeremonyError::RpIdHash);
        }
        if self.flags & UP == 0 {
            return Err(CeremonyError::UserPresent);
        }
        if verification == UserVerificationRequirement::Required && !self.user_verified() {
            return Err(CeremonyError::UserVerified);
        }
        if self.backup_state() && !self.backup_eligible() {
            return Err(CeremonyError::Backup);
        }
        Ok(())
    }

    pub fn user_verified(&self) -> bool {
        self.flags & UV != 0
    }

    pub fn backup_eligible(&self) -> bool {
        self.flags & BE != 0
    }

    pub fn backup_state(&self) -> bool {
        self.flags & BS != 0
    }
}

impl AttestedCredentialData {
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), CeremonyError> {
        const MALFORMED: CeremonyError = CeremonyError::Malformed("attested credential data");
        let (aaguid, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        let (len, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let len = usize::from(u16::from_be_bytes(*len));
        if len > MAX_CREDENTIAL_ID {
            return Err(CeremonyError::Malformed("the credential id is too long"));
        }
        let (id, rest) = rest.split_at_checked(len).ok_or(MALFORMED)?;
        let (map, after) = cbor::first(rest).ok_or(CeremonyError::Malformed("the key"))?;
        let public_key = rest[..rest.len() - after.len()].to_vec();
        let key = CoseKey::read(&map)?;
        Ok((Self { aaguid: *aaguid, credential_id: id.to_vec(), public_key, key }, after))
    }
}
