use serde::{Deserialize, Serialize};

use super::{
    EMAIL, EMAIL_CLAIM, LANGUAGE, NAME, PASSWORD_HASH, REASON, TIME_ZONE, UserCommand, UserError,
    UserEvent, command,
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

impl User {
    /// A new password: whoever asked for something with the former one may have been somebody else.
    fn take_password(&mut self, password_hash: &Pii<String>) {
        self.password_hash = Some(password_hash.clone());
        self.reset = None;
        self.email_change = None;
        self.session_epoch += 1;
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
                self.password_hash = Some(password_hash.clone());
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
            UserEvent::PasswordReset { password_hash, .. } => {
                self.take_password(password_hash);
                self.email_verified = true;
                self.verification = None;
            }
            UserEvent::PasswordChanged { password_hash, .. } => self.take_password(password_hash),
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
            UserEvent::SessionsEndedEverywhere { .. } => self.session_epoch += 1,
            UserEvent::Suspended { .. } => {
                self.suspended = true;
                self.session_epoch += 1;
            }
            UserEvent::Unsuspended { .. } => self.suspended = false,
            UserEvent::Erased { .. } => {
                // What is left says only that there was somebody.
                let (id, session_epoch) = (self.id, self.session_epoch + 1);
                *self = Self { id, session_epoch, erased: true, ..Self::default() };
            }
        }
    }

    fn claims(event: &UserEvent) -> Vec<ClaimChange> {
        let claim = |key: &String| (EMAIL_CLAIM, key.clone());
        match event {
            UserEvent::SignedUp { email_index, .. } => {
                let (kind, key) = claim(email_index);
                vec![ClaimChange::Take { kind, key }]
            }
            UserEvent::Erased { email_index, .. } => {
                let (kind, key) = claim(email_index);
                vec![ClaimChange::Release { kind, key }]
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
                visit(PersonalField { subject, name: PASSWORD_HASH, value: password_hash });
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
            | UserEvent::SessionsEndedEverywhere { .. }
            | UserEvent::Unsuspended { .. }
            | UserEvent::Erased { .. } => {}
        }
    }
}
