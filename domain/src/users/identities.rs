use super::{
    MAX_IDENTITIES, User, UserError, UserEvent,
    command::{Decided, MAX_NAME_CHARS},
};
use crate::{Decision, Pii, Timestamp, ids::UserId};

/// A person at a provider, who has just signed in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdentity {
    /// What the provider is called here.
    pub provider: String,
    pub issuer: String,
    pub subject: Pii<String>,
    /// Of issuer and subject, in hexadecimal.
    pub identity_index: String,
    pub email: Option<Pii<String>>,
}

/// Somebody who comes through a provider, to an address that no account has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub user_id: UserId,
    pub email: Pii<String>,
    pub email_index: String,
    /// As the provider has it; left out where it is no name here.
    pub name: Option<String>,
    pub identity: NewIdentity,
}

/// Why the person at the provider is taken for the owner of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linking {
    /// The owner, who has signed in, says so.
    ByOwner,
    /// The provider has confirmed that they have this address. It is enough for an account whose address
    /// nobody has confirmed, and for any where the operator lets the provider decide about addresses.
    ByAddress { email_index: String, authoritative: bool },
}

pub(super) fn join(join: Join, now: Timestamp) -> Decided {
    let Join { user_id, email, email_index, name, identity } = join;
    let name = name.map(|name| name.chars().filter(|c| !c.is_control()).collect::<String>());
    let name = name.map(|name| name.trim().chars().take(MAX_NAME_CHARS).collect::<String>());
    let name = name.filter(|name| !name.is_empty()).map(Pii::plain);
    Ok(Decision::Accept(vec![
        UserEvent::SignedUp {
            user_id,
            email,
            email_index,
            name,
            password_hash: None,
            signed_up_at: now,
        },
        UserEvent::EmailVerified { verified_at: now },
        linked(user_id, identity, now),
    ]))
}

pub(super) fn link(
    user: &User,
    user_id: UserId,
    identity: NewIdentity,
    linking: &Linking,
    now: Timestamp,
) -> Decided {
    if user.identities.contains_key(&identity.identity_index) {
        return Ok(Decision::AlreadyApplied);
    }
    if user.identities.len() >= MAX_IDENTITIES {
        return Err(UserError::TooManyIdentities);
    }
    let mut events = Vec::new();
    if let Linking::ByAddress { email_index, authoritative } = linking {
        let same = *email_index == user.email_index;
        if !same || (user.email_verified && !authoritative) {
            return Err(UserError::AddressHasAccount);
        }
        if !user.email_verified {
            // Whoever chose the password may not be who has the address.
            let removed = UserEvent::PasswordRemoved { removed_at: now };
            events.extend(user.password_hash.is_some().then_some(removed));
            events.push(UserEvent::EmailVerified { verified_at: now });
        }
    }
    events.push(linked(user_id, identity, now));
    Ok(Decision::Accept(events))
}

pub(super) fn unlink(user: &User, identity_index: String, now: Timestamp) -> Decided {
    if !user.identities.contains_key(&identity_index) {
        return Err(UserError::NoIdentity);
    }
    if user.password_hash.is_none() && user.identities.len() == 1 {
        return Err(UserError::LastWayIn);
    }
    Ok(Decision::one(UserEvent::IdentityUnlinked { identity_index, unlinked_at: now }))
}

fn linked(user_id: UserId, identity: NewIdentity, now: Timestamp) -> UserEvent {
    let NewIdentity { provider, issuer, subject, identity_index, email } = identity;
    let linked_at = now;
    UserEvent::IdentityLinked {
        user_id,
        provider,
        issuer,
        subject,
        identity_index,
        email,
        linked_at,
    }
}
