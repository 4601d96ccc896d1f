use poem::http::StatusCode;

/// What went wrong, as a stable name that programs may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    BadRequest,
    InvalidParameter,
    InvalidBody,
    Unauthenticated,
    KeyExpired,
    SignatureRequired,
    SignatureInvalid,
    Forbidden,
    AccountSuspended,
    SecondFactorNeeded,
    ProviderNeeded,
    ImpersonationForbidden,
    PlatformOnly,
    OrganizationRequired,
    OrganizationArchived,
    OrganizationSuspended,
    LastOwner,
    LastWayIn,
    AddressHasAccount,
    AddressNotConfirmed,
    IdentityLinked,
    CsrfRefused,
    AddressBlocked,
    NotFound,
    NoSuchRoute,
    MethodNotAllowed,
    NotAcceptable,
    RequestTooSlow,
    Conflict,
    BuildsDiffer,
    VersionMismatch,
    BodyTooLarge,
    HeadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    IdempotencyKeyReused,
    TooManyRequests,
    TooManyStreams,
    Internal,
    Overloaded,
    StaleRead,
    Unavailable,
    TimedOut,
}

impl Code {
    pub const ALL: [Self; 43] = [
        Self::BadRequest,
        Self::InvalidParameter,
        Self::InvalidBody,
        Self::Unauthenticated,
        Self::KeyExpired,
        Self::SignatureRequired,
        Self::SignatureInvalid,
        Self::Forbidden,
        Self::AccountSuspended,
        Self::SecondFactorNeeded,
        Self::ProviderNeeded,
        Self::ImpersonationForbidden,
        Self::PlatformOnly,
        Self::OrganizationRequired,
        Self::OrganizationArchived,
        Self::OrganizationSuspended,
        Self::LastOwner,
        Self::LastWayIn,
        Self::AddressHasAccount,
        Self::AddressNotConfirmed,
        Self::IdentityLinked,
        Self::CsrfRefused,
        Self::AddressBlocked,
        Self::NotFound,
        Self::NoSuchRoute,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTooSlow,
        Self::Conflict,
        Self::BuildsDiffer,
        Self::VersionMismatch,
        Self::BodyTooLarge,
        Self::HeadTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::TooManyRequests,
        Self::TooManyStreams,
        Self::Internal,
        Self::Overloaded,
        Self::StaleRead,
        Self::Unavailable,
        Self::TimedOut,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::InvalidParameter => "invalid-parameter",
            Self::InvalidBody => "invalid-body",
            Self::Unauthenticated => "unauthenticated",
            Self::KeyExpired => "key-expired",
            Self::SignatureRequired => "signature-required",
            Self::SignatureInvalid => "signature-invalid",
            Self::Forbidden => "forbidden",
            Self::AccountSuspended => "account-suspended",
            Self::SecondFactorNeeded => "second-factor-needed",
            Self::ProviderNeeded => "provider-needed",
            Self::ImpersonationForbidden => "impersonation-forbidden",
            Self::PlatformOnly => "platform-only",
            Self::OrganizationRequired => "organization-required",
            Self::OrganizationArchived => "organization-archived",
            Self::OrganizationSuspended => "organization-suspended",
            Self::LastOwner => "last-owner",
            Self::LastWayIn => "last-way-in",
            Self::AddressHasAccount => "address-has-account",
            Self::AddressNotConfirmed => "address-not-confirmed",
            Self::IdentityLinked => "identity-linked",
            Self::CsrfRefused => "csrf-refused",
            Self::AddressBlocked => "address-blocked",
            Self::NotFound => "not-found",
            Self::NoSuchRoute => "no-such-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NotAcceptable => "not-acceptable",
            Self::RequestTooSlow => "request-too-slow",
            Self::Conflict => "conflict",
            Self::BuildsDiffer => "builds-differ",
            Self::VersionMismatch => "version-mismatch",
            Self::BodyTooLarge => "body-too-large",
            Self::HeadTooLarge => "head-too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::ValidationFailed => "validation-failed",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::TooManyRequests => "too-many-requests",
            Self::TooManyStreams => "too-many-streams",
            Self::Internal => "internal",
            Self::Overloaded => "overloaded",
            Self::StaleRead => "stale-read",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed-out",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::InvalidParameter
            | Self::InvalidBody
            | Self::OrganizationRequired => StatusCode::BAD_REQUEST,
            Self::Unauthenticated
            | Self::KeyExpired
            | Self::SignatureRequired
            | Self::SignatureInvalid => StatusCode::UNAUTHORIZED,
            Self::Forbidden
            | Self::AddressNotConfirmed
            | Self::PlatformOnly
            | Self::AccountSuspended
            | Self::ImpersonationForbidden
            | Self::OrganizationSuspended
            | Self::SecondFactorNeeded
            | Self::ProviderNeeded
            | Self::CsrfRefused
            | Self::AddressBlocked => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict
            | Self::BuildsDiffer
            | Self::OrganizationArchived
            | Self::LastOwner
            | Self::LastWayIn
            | Self::AddressHasAccount
            | Self::IdentityLinked => StatusCode::CONFLICT,
            Self::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded | Self::StaleRead | Self::Unavailable | Self::TimedOut => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The same for every occurrence; the detail says what happened in this one.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::InvalidParameter => "A parameter or header has a value that does not fit",
            Self::InvalidBody => "The body cannot be understood",
            Self::KeyExpired => "The API key, or its secret, has ended",
            Self::SignatureRequired => "The API key demands signed requests",
            Self::SignatureInvalid => "The signature of the request does not hold",
            Self::Unauthenticated => "A valid API key or access token is needed",
            Self::AccountSuspended => "The account is suspended",
            Self::SecondFactorNeeded => "A sign-in with a second factor is needed",
            Self::ProviderNeeded => "A sign-in through a provider is needed",
            Self::Forbidden => "The policies do not allow this",
            Self::CsrfRefused => "The page that made the request is not known to be ours",
            Self::AddressBlocked => "Requests from this address are not taken",
            Self::ImpersonationForbidden => "An operator who acts as somebody may not do this",
            Self::PlatformOnly => "Only a key of the platform may do this",
            Self::OrganizationRequired => "It is not said in which organisation to act",
            Self::OrganizationArchived => "The organisation is archived",
            Self::OrganizationSuspended => "The organisation is suspended",
            Self::LastOwner => "An organisation keeps its last owner",
            Self::LastWayIn => "An account keeps a way to sign in",
            Self::AddressHasAccount => "There is an account with the address",
            Self::AddressNotConfirmed => "The provider has not confirmed an address",
            Self::IdentityLinked => "The person at the provider has another account",
            Self::NotFound => "There is no such resource",
            Self::NoSuchRoute => "There is nothing at this path",
            Self::MethodNotAllowed => "The resource does not know this method",
            Self::NotAcceptable => "The resource has no form that was asked for",
            Self::RequestTooSlow => "The request took too long to arrive",
            Self::Conflict => "The state of the resource does not allow this",
            Self::BuildsDiffer => "The rebuilt view is not what the live one is",
            Self::VersionMismatch => "The resource has another version than the one pinned",
            Self::BodyTooLarge => "The body is larger than allowed",
            Self::HeadTooLarge => "The head of the request is larger than allowed",
            Self::UnsupportedMediaType => "The body has a content type that is not taken here",
            Self::ValidationFailed => "The request is understood, but its content is not allowed",
            Self::IdempotencyKeyReused => "The idempotency key belongs to another request",
            Self::TooManyRequests => "The quota is used up for the moment",
            Self::TooManyStreams => "Too many live streams are open",
            Self::Internal => "Something failed on our side",
            Self::Overloaded => "More is asked than can be answered now",
            Self::StaleRead => "The view has not reached the position asked for",
            Self::Unavailable => "A part that the answer needs is not available",
            Self::TimedOut => "The answer took too long",
        }
    }

    /// What the caller can do about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::BadRequest | Self::InvalidParameter | Self::InvalidBody => {
                "Correct the request; `errors` names the places. Repeating it unchanged fails again."
            }
            Self::Unauthenticated => {
                "Send `Authorization: Bearer mr_...` or `X-API-Key: mr_...` with a key that is not revoked, or `Authorization: Bearer` with the access token of somebody who signed in."
            }
            Self::SignatureRequired | Self::SignatureInvalid => {
                "Sign the request as RFC 9421 says, with the key that was given when the API key was issued; `detail` says what is missing."
            }
            Self::KeyExpired => "Use the newest secret of the key, or ask for another key.",
            Self::Forbidden => {
                "Use a key whose scopes name the action, or ask for a policy that allows it; `detail` names both."
            }
            Self::AccountSuspended | Self::OrganizationSuspended => {
                "Ask whoever runs the installation, who can lift the suspension."
            }
            Self::SecondFactorNeeded => {
                "Sign in with a second factor; set one up at `/v1/users/me/totp` or `/v1/users/me/passkeys`."
            }
            Self::ProviderNeeded => {
                "The organisation wants its members to come through a provider; sign in at `/v1/auth/providers`."
            }
            Self::ImpersonationForbidden => "It is left to whom the account is of.",
            Self::PlatformOnly => {
                "Use a key that the operator issued with `millrace keys issue --platform`."
            }
            Self::OrganizationRequired => {
                "Send `Millrace-Organization` with the id or the slug of one of your organisations."
            }
            Self::OrganizationArchived => "An owner can bring it back; until then it can be read.",
            Self::AddressNotConfirmed => {
                "Confirm the address at the provider, or sign in as before and link the provider."
            }
            Self::IdentityLinked => "Sign in through the provider, and unlink it there first.",
            Self::LastWayIn => {
                "Choose a password at `/v1/users/me/password`, or link another identity first."
            }
            Self::AddressHasAccount => {
                "Sign in to the account as before, and link the provider at `/v1/users/me/identities`."
            }
            Self::LastOwner => "Make another member an owner first, or hand the organisation on.",
            Self::CsrfRefused => {
                "Send the `csrf_token` of the sign-in as `X-CSRF-Token`, from a page of an allowed origin."
            }
            Self::AddressBlocked => "Ask the operator, who can lift the block.",
            Self::NotFound => {
                "Check the id. What belongs to another organisation is answered in the same way."
            }
            Self::NoSuchRoute => "Check the path against the API document.",
            Self::MethodNotAllowed => "Check the method against the API document.",
            Self::NotAcceptable => "Ask for one of the forms that the API document lists.",
            Self::RequestTooSlow => "Send the request again without pausing.",
            Self::Conflict => "Read the resource again and decide anew.",
            Self::BuildsDiffer => {
                "Find out which of the two is right; `accept_differences=true` switches all the same."
            }
            Self::VersionMismatch => {
                "Read the resource again and send its present `ETag` as `If-Match`, or leave it out."
            }
            Self::BodyTooLarge => "Send a smaller body; the detail names the limit.",
            Self::HeadTooLarge => "Send a shorter path, and fewer or shorter header fields.",
            Self::UnsupportedMediaType => "Send `Content-Type: application/json`.",
            Self::ValidationFailed => "Correct the fields named in `errors`.",
            Self::IdempotencyKeyReused => {
                "Use a fresh key for a new request; repeat a request only unchanged under its key."
            }
            Self::TooManyRequests => "Wait for as many seconds as `Retry-After` says.",
            Self::TooManyStreams => "Close a stream before opening another.",
            Self::Internal => "Try again; tell the operator the `request_id` when it stays.",
            Self::Overloaded | Self::Unavailable | Self::TimedOut => {
                "Try again after `Retry-After`; with an `Idempotency-Key` that is safe for commands too."
            }
            Self::StaleRead => {
                "Try again after `Retry-After`, or read without `Millrace-Min-Position`."
            }
        }
    }

    /// The code for an answer of which only the status is known.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NoSuchRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTooSlow,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PRECONDITION_FAILED => Self::VersionMismatch,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::ValidationFailed,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_an_error_status() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
