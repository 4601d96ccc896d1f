use super::{
    CeremonyError,
    authenticator_data::{AttestedCredentialData, AuthenticatorData},
    cbor::{self, Map},
};

/// Bytes of the largest attestation object. Without certificates it has some hundred.
const MAX_BYTES: usize = 64 * 1024;

/// Section 6.5.
pub struct AttestationObject {
    format: String,
    statement: Map,
    bytes: Vec<u8>,
    pub data: AuthenticatorData,
}

impl AttestationObject {
    pub fn parse(bytes: &[u8]) -> Result<Self, CeremonyError> {
        const MALFORMED: CeremonyError = CeremonyError::Malformed("the attestation object");
        if bytes.len() > MAX_BYTES {
            return Err(MALFORMED);
        }
        let map = cbor::only(bytes).ok_or(MALFORMED)?;
        let format = map.text("fmt").ok_or(MALFORMED)?.to_owned();
        let statement = map.map("attStmt").ok_or(MALFORMED)?;
        let bytes = map.bytes("authData").ok_or(MALFORMED)?.to_vec();
        let data = AuthenticatorData::parse(&bytes)?;
        Ok(Self { format, statement, bytes, data })
    }

    /// The statement by its format: `none` (section 8.7), or `packed` without a certificate, which
    /// browsers also pass on when nothing was asked for (section 8.2).
    pub fn verify(
        &self,
        credential: &AttestedCredentialData,
        client_data_hash: &[u8; 32],
    ) -> Result<(), CeremonyError> {
        match self.format.as_str() {
            "none" if self.statement.is_empty() => Ok(()),
            "packed" if !self.statement.has("x5c") => {
                if self.statement.integer("alg") != Some(credential.key.algorithm()) {
                    return Err(CeremonyError::Attestation);
                }
                let signature = self.statement.bytes("sig").ok_or(CeremonyError::Attestation)?;
                credential
                    .key
                    .verify(&[&self.bytes, client_data_hash.as_slice()].concat(), signature)
            }
            _ => Err(CeremonyError::Attestation),
        }
    }
}
