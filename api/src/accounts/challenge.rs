//! What is kept between two requests of one sign-in or ceremony: sealed, and held by the client.

use chrono::TimeDelta;
use credentials::passkey::AuthenticationState;
use domain::{
    Timestamp,
    ids::{SessionId, UserId},
    sessions::Proof,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vault::{DataKey, Place};

use crate::problem::{Code, Problem};

/// Time for a person to answer.
pub(super) const LIFE: TimeDelta = TimeDelta::minutes(5);

/// Seals and opens challenges of this installation.
pub(crate) struct Challenges(DataKey);

/// What a challenge is for; one of another purpose is not taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    SecondFactor,
    PasskeyLogin,
    AddTotp,
    AddPasskey,
    /// A sign-in at a provider that has begun, in a cookie.
    ProviderFlow,
    /// What came of it.
    ProviderArrival,
}

/// A sign-in that waits for more. The id of its session is known already: a session starts once, so a
/// challenge can be answered once.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    /// None before it is known who signs in.
    pub user: Option<UserId>,
    pub epoch: u32,
    pub session: SessionId,
    pub proofs: Vec<Proof>,
    /// The provider that they came through.
    pub provider: Option<String>,
    pub ceremony: Option<AuthenticationState>,
}

#[derive(Serialize, Deserialize)]
struct Timed<T> {
    expires_at: Timestamp,
    value: T,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second factor",
            Self::PasskeyLogin => "passkey login",
            Self::AddTotp => "add totp",
            Self::AddPasskey => "add passkey",
            Self::ProviderFlow => "provider flow",
            Self::ProviderArrival => "provider arrival",
        }
    }

    const fn place(self) -> Place<'static> {
        Place { subject: "installation", event: "challenge", field: self.name() }
    }
}

impl Challenges {
    pub fn new(secret: &vault::InstallationSecret) -> Self {
        Self(secret.data_key("challenges of sign-ins"))
    }

    /// The challenge, and until when it can be answered.
    pub(super) fn seal<T: Serialize>(
        &self,
        purpose: Purpose,
        value: T,
        now: Timestamp,
    ) -> Result<(String, Timestamp), Problem> {
        let expires_at = now + LIFE;
        let json = serde_json::to_vec(&Timed { expires_at, value });
        let json = json.map_err(|error| Problem::internal(&error))?;
        let sealed = self.0.seal(&purpose.place(), &json, &mut rand::rng());
        Ok((sealed.map_err(|error| Problem::internal(&error))?, expires_at))
    }

    pub(super) fn open<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        text: &str,
        now: Timestamp,
    ) -> Result<T, Problem> {
        let refused = |detail| Problem::new(Code::Unauthenticated, detail);
        let strange = || refused("what was sent as `challenge` is none of this kind");
        let json = self.0.open(&purpose.place(), text).map_err(|_| strange())?;
        let timed: Timed<T> = serde_json::from_slice(&json).map_err(|_| strange())?;
        if now < timed.expires_at {
            return Ok(timed.value);
        }
        Err(refused("it took too long; begin again"))
    }
}
