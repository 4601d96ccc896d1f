use std::fmt;
use std::str::FromStr;

/// Of the whole address (RFC 5321, 4.5.3.1.3, less the angle brackets).
const MAX_BYTES: usize = 254;

/// A mailbox address that a mail can be sent to; not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(lettre::Address);

/// Says what is wrong and not with which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("the address is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the address is not of the form name@example.org")]
    Malformed,
    #[error("the address has a quoted name or a number in place of a domain")]
    Unusual,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_BYTES {
            return Err(AddressError::TooLong);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(AddressError::Malformed);
        }
        let address: lettre::Address = text.parse().map_err(|_| AddressError::Malformed)?;
        let domain = address.domain();
        // A literal would let whoever signs up choose the host that the server connects to.
        let number = domain.starts_with('[') || domain.parse::<std::net::IpAddr>().is_ok();
        if address.user().contains('"') || number {
            return Err(AddressError::Unusual);
        }
        Ok(Self(address))
    }
}

impl Address {
    /// The address itself, for what must know it.
    pub fn expose(&self) -> &str {
        self.0.as_ref()
    }

    pub(crate) fn domain(&self) -> &str {
        self.0.domain()
    }

    pub(crate) fn user(&self) -> &str {
        self.0.user()
    }

    pub(crate) fn mailbox(&self, name: Option<&str>) -> lettre::message::Mailbox {
        lettre::message::Mailbox::new(name.map(str::to_owned), self.0.clone())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<address>")
    }
}
