use credentials::recovery::RecoveryCode;
use domain::factors::{FactorCommand, Factors};

use super::{super::caller::SignedIn, model::RecoveryCodes, of};
use crate::{problem::Problem, state::App};

/// New codes, which are shown once and stored as hashes.
pub(super) struct NewCodes {
    codes: Vec<RecoveryCode>,
}

impl NewCodes {
    pub fn generate() -> Self {
        Self { codes: RecoveryCode::generate(&mut rand::rng()) }
    }

    pub fn hashes(&self) -> Vec<String> {
        self.codes.iter().map(hash).collect()
    }

    /// The codes, if they are those of the account now: only a first factor brings some.
    pub fn shown(&self, factors: &Factors) -> Vec<String> {
        if factors.recovery_hashes != self.hashes() {
            return Vec::new();
        }
        self.codes.iter().map(|code| code.expose().to_string()).collect()
    }
}

/// In hexadecimal, as events carry it.
pub(super) fn hash(code: &RecoveryCode) -> String {
    crate::keys::hex(&code.hash())
}

pub(super) async fn renew(app: &App, caller: &SignedIn) -> Result<RecoveryCodes, Problem> {
    let codes = NewCodes::generate();
    let now = app.journal.clock().now();
    let command = FactorCommand::RenewRecoveryCodes { hashes: codes.hashes(), now };
    let context = caller.client.context(app, caller.user);
    app.execute::<Factors>(context, caller.user.to_string(), command).await?;
    Ok(RecoveryCodes { recovery_codes: codes.shown(&of(app, caller.user).await?) })
}
