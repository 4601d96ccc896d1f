use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    EMAIL, EMAIL_CLAIM, IDENTITY_CLAIM, LANGUAGE, NAME, PASSWORD_HASH, REASON, SUBJECT, TIME_ZONE,
    UserCommand, UserError, UserEvent, command,
};
use crate::{ClaimChange, Decide, Decision, PersonalField, Pii, Timestamp, ids::UserId};

/// An account; that of nobody before its first event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: Option<UserId>,
    pub email: Option<Pii<String>>,
    pub email_index: String,
    pub email_verified: bool,
    pub name: Option<Pii<String>>,
    pub language: Option<Pii<String>>,
    pub time_zone: Option<Pii<String>>,
    /// The address that the account is to have, while there is a link that works.
    pub email_change: Option<EmailChange>,
    pub password_hash: Option<Pii<String>>,
    /// Persons at providers who are the owner, by their place in the blind index.
    #[serde(default)]
    pub identities: BTreeMap<String, Identity>,
    /// The link that confirms the address, while there is one that works.
    pub verification: Option<OpenLink>,
    /// The link that lets choose a new password, while there is one that works.
    pub reset: Option<OpenLink>,
    /// The last mail to confirm the address, or about signing up again.
    pub mailed_at: Option<Timestamp>,
    pub reset_mailed_at: Option<Timestamp>,
    pub change_mailed_at: Option<Timestamp>,
    /// Raised whenever all sessions end. Only sessions of this epoch are alive.
    pub session_epoch: u32,
    /// Nobody signs in, and keys that the person issued are refused.
    pub suspended: bool,
    /// When it was. Tokens that an issuer gave before are worth nothing.
    #[serde(default)]
    pub sessions_ended_at: Option<Timestamp>,
    pub erased: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLink {
    pub nonce: String,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailChange {
    pub email: Pii<String>,
    pub email_index: String,
    pub link: OpenLink,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub provider: String,
    pub issuer: String,
    pub subject: Pii<String>,
    pub email: Option<Pii<String>>,
    pub linked_at: Timestamp,
}

impl User {
    /// A new password: whoever asked for something with the former one may have been somebody else.
    fn take_password(&mut self, password_hash: &Pii<String>, at: Timestamp) {
        self.password_hash = Some(password_hash.clone());
        self.reset = None;
        self.email_change = None;
        self.end_sessions(at);
    }

    fn end_sessions(&mut self, at: Timestamp) {
        self.session_epoch += 1;
        self.sessions_ended_at = Some(at);
    }
}

impl Decide for User {
    const STATE_VERSION: u32 = 2;

    fn decide(&self, command: UserCommand) -> Result<Decision<UserEvent>, UserError> {
        command::decide(self, command)
    }

    fn evolve(&mut self, event: &UserEvent) {
        match event {
            UserEvent::SignedUp { user_id, email, email_index, name, password_hash, .. } => {
                self.id = Some(*user_id);
                self.email = Some(email.clone());
                self.email_index = email_index.clone();
                self.name = name.clone();
                self.password_hash = password_hash.clone();
            }
            UserEvent::SignUpRepeated { repeated_at } => self.mailed_at = Some(*repeated_at),
            UserEvent::EmailVerificationAsked { nonce, expires_at, asked_at } => {
                self.verification =
                    Some(OpenLink { nonce: nonce.clone(), expires_at: *expires_at });
                self.mailed_at = Some(*asked_at);
            }
            UserEvent::EmailVerified { .. } => {
                self.email_verified = true;
                self.verification = None;
            }
            UserEvent::PasswordResetAsked { nonce, expires_at, asked_at } => {
                self.reset = Some(OpenLink { nonce: nonce.clone(), expires_at: *expires_at });
                self.reset_mailed_at = Some(*asked_at);
            }
            UserEvent::PasswordReset { password_hash, reset_at, .. } => {
                self.take_password(password_hash, *reset_at);
                self.email_verified = true;
                self.verification = None;
            }
            UserEvent::PasswordChanged { password_hash, changed_at, .. } => {
                self.take_password(password_hash, *changed_at);
            }
            UserEvent::ProfileChanged { name, language, time_zone, .. } => {
                self.name = name.clone();
                self.language = language.clone();
                self.time_zone = time_zone.clone();
            }
            UserEvent::EmailChangeAsked {
                email, email_index, nonce, expires_at, asked_at, ..
            } => {
                let link = OpenLink { nonce: nonce.clone(), expires_at: *expires_at };
                let (email, email_index) = (email.clone(), email_index.clone());
                self.email_change = Some(EmailChange { email, email_index, link });
                self.change_mailed_at = Some(*asked_at);
            }
            UserEvent::EmailChanged { email, email_index, .. } => {
                self.email = Some(email.clone());
                self.email_index = email_index.clone();
                self.email_change = None;
                // Links in mails to the former address.
                self.reset = None;
            }
            UserEvent::PasswordRehashed { password_hash, .. } => {
                self.password_hash = Some(password_hash.clone());
            }
            UserEvent::Suspended { suspended_at, .. } => {
                self.suspended = true;
                self.end_sessions(*suspended_at);
            }
            UserEvent::Unsuspended { .. } => self.suspended = false,
            UserEvent::PasswordRemoved { .. } => self.password_hash = None,
            UserEvent::IdentityLinked {
                provider,
                issuer,
                subject,
                identity_index,
                email,
                linked_at,
                ..
            } => {
                let identity = Identity {
                    provider: provider.clone(),
                    issuer: issuer.clone(),
                    subject: subject.clone(),
                    email: email.clone(),
                    linked_at: *linked_at,
                };
                self.identities.insert(identity_index.clone(), identity);
            }
            UserEvent::IdentityUnlinked { identity_index, .. } => {
                self.identities.remove(identity_index);
            }
            UserEvent::SessionsEndedEverywhere { ended_at } => self.end_sessions(*ended_at),
            UserEvent::Erased { .. } => {
                // What is left says only that there was somebody.
                let (id, session_epoch) = (self.id, self.session_epoch + 1);
                *self = Self { id, session_epoch, erased: true, ..Self::default() };
            }
        }
    }

    fn claims(event: &UserEvent) -> Vec<ClaimChange> {
        let claim = |key: &String| (EMAIL_CLAIM, key.clone());
        let kind = IDENTITY_CLAIM;
        match event {
            UserEvent::SignedUp { email_index, .. } => {
                let (kind, key) = claim(email_index);
                vec![ClaimChange::Take { kind, key }]
            }
            UserEvent::IdentityLinked { identity_index, .. } => {
                vec![ClaimChange::Take { kind, key: identity_index.clone() }]
            }
            UserEvent::IdentityUnlinked { identity_index, .. } => {
                vec![ClaimChange::Release { kind, key: identity_index.clone() }]
            }
            UserEvent::Erased { email_index, identity_indexes, .. } => {
                let email = claim(email_index);
                let identities = identity_indexes.iter().map(|key| (kind, key.clone()));
                let all = identities.chain([email]);
                all.map(|(kind, key)| ClaimChange::Release { kind, key }).collect()
            }
            UserEvent::EmailChanged { email_index, former_index, .. } => {
                let ((kind, key), former) = (claim(email_index), claim(former_index));
                vec![
                    ClaimChange::Take { kind, key },
                    ClaimChange::Release { kind: former.0, key: former.1 },
                ]
            }
            UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::PasswordReset { .. }
            | UserEvent::PasswordChanged { .. }
            | UserEvent::ProfileChanged { .. }
            | UserEvent::EmailChangeAsked { .. }
            | UserEvent::PasswordRehashed { .. }
            | UserEvent::PasswordRemoved { .. }
            | UserEvent::SessionsEndedEverywhere { .. }
            | UserEvent::Suspended { .. }
            | UserEvent::Unsuspended { .. } => Vec::new(),
        }
    }

    fn personal(event: &mut UserEvent, visit: &mut dyn FnMut(PersonalField<'_>)) {
        match event {
            UserEvent::SignedUp { user_id, email, name, password_hash, .. } => {
                let subject = user_id.uuid();
                visit(PersonalField { subject, name: EMAIL, value: email });
                if let Some(name) = name {
                    visit(PersonalField { subject, name: NAME, value: name });
                }
                if let Some(value) = password_hash {
                    visit(PersonalField { subject, name: PASSWORD_HASH, value });
                }
            }
            UserEvent::IdentityLinked { user_id, subject: value, email, .. } => {
                let subject = user_id.uuid();
                visit(PersonalField { subject, name: SUBJECT, value });
                if let Some(value) = email {
                    visit(PersonalField { subject, name: EMAIL, value });
                }
            }
            UserEvent::ProfileChanged { user_id, name, language, time_zone, .. } => {
                let subject = user_id.uuid();
                let fields = [(NAME, name), (LANGUAGE, language), (TIME_ZONE, time_zone)];
                for (name, value) in fields {
                    if let Some(value) = value {
                        visit(PersonalField { subject, name, value });
                    }
                }
            }
            UserEvent::EmailChangeAsked { user_id, email, .. }
            | UserEvent::EmailChanged { user_id, email, .. } => {
                visit(PersonalField { subject: user_id.uuid(), name: EMAIL, value: email });
            }
            UserEvent::PasswordReset { user_id, password_hash, .. }
            | UserEvent::PasswordChanged { user_id, password_hash, .. }
            | UserEvent::PasswordRehashed { user_id, password_hash, .. } => {
                let subject = user_id.uuid();
                visit(PersonalField { subject, name: PASSWORD_HASH, value: password_hash });
            }
            UserEvent::Suspended { user_id, reason, .. } => {
                visit(PersonalField { subject: user_id.uuid(), name: REASON, value: reason });
            }
            UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::PasswordRemoved { .. }
            | UserEvent::IdentityUnlinked { .. }
            | UserEvent::SessionsEndedEverywhere { .. }
            | UserEvent::Unsuspended { .. }
            | UserEvent::Erased { .. } => {}
        }
    }
}
