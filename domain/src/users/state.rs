use serde::{Deserialize, Serialize};

use super::{EMAIL, EMAIL_CLAIM, NAME, PASSWORD_HASH, UserCommand, UserError, UserEvent, command};
use crate::{ClaimChange, Decide, Decision, PersonalField, Pii, Timestamp, ids::UserId};

/// An account; that of nobody before its first event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: Option<UserId>,
    pub email: Option<Pii<String>>,
    pub email_index: String,
    pub email_verified: bool,
    pub name: Option<Pii<String>>,
    pub password_hash: Option<Pii<String>>,
    /// The link that confirms the address, while there is one that works.
    pub verification: Option<OpenLink>,
    /// The link that lets choose a new password, while there is one that works.
    pub reset: Option<OpenLink>,
    /// The last mail to confirm the address, or about signing up again.
    pub mailed_at: Option<Timestamp>,
    pub reset_mailed_at: Option<Timestamp>,
    /// Raised whenever all sessions end. Only sessions of this epoch are alive.
    pub session_epoch: u32,
    pub erased: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLink {
    pub nonce: String,
    pub expires_at: Timestamp,
}

impl Decide for User {
    const STATE_VERSION: u32 = 1;

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
                self.password_hash = Some(password_hash.clone());
                self.email_verified = true;
                self.verification = None;
                self.reset = None;
                self.session_epoch += 1;
            }
            UserEvent::PasswordRehashed { password_hash, .. } => {
                self.password_hash = Some(password_hash.clone());
            }
            UserEvent::SessionsEndedEverywhere { .. } => self.session_epoch += 1,
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
            UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::PasswordReset { .. }
            | UserEvent::PasswordRehashed { .. }
            | UserEvent::SessionsEndedEverywhere { .. } => Vec::new(),
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
            UserEvent::PasswordReset { user_id, password_hash, .. }
            | UserEvent::PasswordRehashed { user_id, password_hash, .. } => {
                let subject = user_id.uuid();
                visit(PersonalField { subject, name: PASSWORD_HASH, value: password_hash });
            }
            UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::SessionsEndedEverywhere { .. }
            | UserEvent::Erased { .. } => {}
        }
    }
}
