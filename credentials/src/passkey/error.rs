/// Why a ceremony failed. Each is a step of section 7.1 or 7.2 of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    #[error("the answer of the authenticator cannot be read: {0}")]
    Malformed(&'static str),
    #[error("the ceremony took too long; begin again")]
    TooLate,
    #[error("the answer is for another kind of ceremony")]
    Type,
    #[error("the answer is to another challenge than the one that was set")]
    Challenge,
    #[error("the answer comes from a page that is not one of this installation's")]
    Origin,
    #[error("the answer comes from a page inside another one")]
    CrossOrigin,
    #[error("the passkey belongs to another site")]
    RpIdHash,
    #[error("nobody touched the authenticator")]
    UserPresent,
    #[error("the authenticator did not verify who used it, by PIN or otherwise")]
    UserVerified,
    #[error("the authenticator contradicts itself about backups of the passkey")]
    Backup,
    #[error("the passkey is of a kind that was not asked for")]
    Algorithm,
    #[error("the authenticator vouches for the passkey in a way that is not known here")]
    Attestation,
    #[error("the passkey is not one of those that were asked for")]
    NotAllowed,
    #[error("the passkey belongs to someone else")]
    UserHandle,
    #[error("the signature of the authenticator is wrong")]
    Signature,
    /// Two copies of the private key seem to be in use.
    #[error("the authenticator's counter went back, so the passkey may have been copied")]
    SignCount,
}
