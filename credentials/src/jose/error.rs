use super::MAX_TOKEN;

/// Why a token is refused. The texts tell a client what to do and an attacker nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("a token has at most {MAX_TOKEN} bytes")]
    TooLong,
    #[error("what was sent is not a signed JSON web token, or lacks a claim")]
    Malformed,
    #[error("the token demands an extension that is not known here")]
    Critical,
    #[error("the token is of another type")]
    Type,
    #[error("the token is signed by an algorithm that is not accepted here")]
    Algorithm,
    #[error("the token is signed by a key that is not known")]
    UnknownKey,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet; check the clock of its issuer")]
    NotYetValid,
    #[error("the token is from another issuer")]
    Issuer,
    #[error("the token is meant for another audience")]
    Audience,
    #[error("the token was issued for another login than this one")]
    Nonce,
    #[error("the login that the token tells of is too long ago; log in again")]
    LoginTooOld,
}
