use domain::Timestamp;
use poem_openapi::Object;

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct SignUpInput {
    pub email: String,
    /// At least 8 characters that are hard to guess.
    pub password: String,
    /// What the person is called.
    pub name: Option<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LoginInput {
    pub email: String,
    pub password: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkInput {
    /// What the link in the mail ends with.
    pub token: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct RefreshInput {
    /// Left out by a browser that has it in a cookie.
    pub refresh_token: Option<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct AddressInput {
    pub email: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct NewPasswordInput {
    /// What the link in the mail ends with.
    pub token: String,
    /// At least 8 characters that are hard to guess.
    pub password: String,
}

/// The same whatever there is about the address.
#[derive(Object)]
pub(crate) struct Noted {
    pub message: String,
}

#[derive(Object)]
pub(crate) struct Tokens {
    /// Sent as `Authorization: Bearer`; a JSON web token signed by Ed25519. Left out where it is in a
    /// cookie, as is the refresh token.
    #[oai(skip_serializing_if_is_none)]
    pub access_token: Option<String>,
    pub token_type: String,
    /// Of the access token.
    pub expires_at: Timestamp,
    /// Gives new tokens, once. Using it twice ends the session.
    #[oai(skip_serializing_if_is_none)]
    pub refresh_token: Option<String>,
    pub session_id: String,
    /// Where the tokens are in cookies: sent as `X-CSRF-Token` with every request that may change
    /// something. It is in a cookie that pages of this very host can read, too.
    #[oai(skip_serializing_if_is_none)]
    pub csrf_token: Option<String>,
}

#[derive(Object)]
pub(crate) struct AccountView {
    pub id: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub language: Option<String>,
    pub time_zone: Option<String>,
    pub email_verified: bool,
    pub signed_up_at: Timestamp,
}

#[derive(Object)]
pub(crate) struct SessionView {
    pub id: String,
    /// What the client called itself.
    pub client: Option<String>,
    /// Where the client was.
    pub address: Option<String>,
    pub started_at: Timestamp,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether an operator acts in it.
    pub impersonated: bool,
    /// Whether this request is of this session.
    pub current: bool,
}

#[derive(Object)]
pub(crate) struct SessionList {
    pub sessions: Vec<SessionView>,
}

/// What is left to show of an account that was erased.
#[derive(Object)]
pub(crate) struct ErasureCertificate {
    pub user_id: String,
    /// Of the event in the log that says so.
    pub position: u64,
    /// Always: the key under which all personal data was sealed is destroyed.
    pub key_destroyed: bool,
    pub erased_at: Timestamp,
    /// What became unreadable: in the log, and in every copy that the stream, views, snapshots and
    /// backups hold of it.
    pub unreadable: Vec<UnreadableField>,
    /// What still stands there, and tells nobody who it was.
    pub readable: Vec<String>,
}

/// A field of an event.
#[derive(Object)]
pub(crate) struct UnreadableField {
    pub event_type: String,
    pub field: String,
    /// How many values of it there were.
    pub values: u64,
}
