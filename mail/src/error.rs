/// Why a mail was not sent. Holds no address, name or link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server or the way to it may do better later, or an operator has to mend something.
    #[error("the mail was not sent: {0}")]
    Retry(String),
    /// This mail will never be taken.
    #[error("the mail cannot be sent: {0}")]
    Fail(String),
}
