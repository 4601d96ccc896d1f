#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactorError {
    #[error("an authenticator app is set up already; remove it first")]
    TotpExists,
    #[error("there is no such second factor")]
    NotFound,
    #[error("there is no second factor yet: recovery codes come with the first")]
    None,
    #[error("nobody needs more than {} passkeys; remove one first", super::MAX_PASSKEYS)]
    TooManyPasskeys,
    #[error(
        "the name of a passkey has 1 to {} characters, none of them a control character",
        super::MAX_NAME_CHARS
    )]
    Name,
    #[error("the code was used already; wait for the next one")]
    CodeUsed,
    #[error("the recovery code is not one of those that are left")]
    UnknownCode,
    #[error("too many wrong answers; the next is listened to in {seconds} seconds")]
    TryLater { seconds: u64 },
}
