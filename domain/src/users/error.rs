#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("there is no such account")]
    NotFound,
    #[error("an account with this id exists already")]
    Exists,
    #[error(
        "a name has 1 to {} characters, none of them a control character",
        super::command::MAX_NAME_CHARS
    )]
    Name,
    #[error(
        "a reason has 1 to {} characters, none of them a control character",
        crate::reason::MAX_REASON_CHARS
    )]
    Reason,
    #[error("this is the address of the account already")]
    SameEmail,
    #[error("a mail was sent a moment ago; wait a minute before asking for another")]
    TooSoon,
    #[error("the link was used already, or a newer one was sent")]
    Link,
    #[error("the link has expired; ask for a new one")]
    LinkExpired,
    #[error("the account has no such identity")]
    NoIdentity,
    #[error("an account has at most {} identities", super::MAX_IDENTITIES)]
    TooManyIdentities,
    #[error("this is the last way to sign in; choose a password or link another identity first")]
    LastWayIn,
    #[error("an account has this address already: sign in to it, and link the provider there")]
    AddressHasAccount,
}
