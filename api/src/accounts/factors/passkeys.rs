use credentials::passkey::{
    Base64Url, CredentialRecord, PublicKeyCredentialDescriptor, PublicKeyCredentialUserEntity,
    RegistrationResponse, RegistrationState, RelyingParty, UserVerificationRequirement,
};
use domain::{
    Pii,
    factors::{AddPasskey, FactorCommand, Factors, PASSKEY_RECORD, Passkey},
    ids::{PasskeyId, UserId},
    users::{EMAIL, NAME, User},
};
use serde::{Deserialize, Serialize};

use super::{
    super::{Desk, caller::SignedIn, challenge::Purpose, me::open, session},
    error::not_a_passkey,
    model::{NewPasskey, NewPasskeyInput, PasskeyAsked},
    of,
    recovery::NewCodes,
};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// A registration that the browser has not answered yet.
#[derive(Serialize, Deserialize)]
struct Begun {
    user: UserId,
    state: RegistrationState,
}

pub(super) async fn begin(app: &App, caller: &SignedIn) -> Result<PasskeyAsked, Problem> {
    let (user, desk) = (caller.user, app.desk().await?);
    let party = party(desk)?;
    let account = session::state::<User>(app, user, &user.to_string()).await?;
    let account = account.ok_or_else(Problem::not_found)?;
    let email = open(app, user, EMAIL, account.email.as_ref()).await?.unwrap_or_default();
    let name = open(app, user, NAME, account.name.as_ref()).await?;
    let entity = PublicKeyCredentialUserEntity {
        id: handle(user),
        display_name: name.unwrap_or_else(|| email.clone()),
        name: email,
    };
    let existing = descriptors(app, user, &of(app, user).await?).await?;
    let now = app.journal.clock().now();
    let preferred = UserVerificationRequirement::Preferred;
    let (options, state) =
        party.start_registration(entity, existing, preferred, now, &mut rand::rng());
    let begun = Begun { user, state };
    let (challenge, expires_at) = desk.challenges.seal(Purpose::AddPasskey, begun, now)?;
    Ok(PasskeyAsked { challenge, expires_at, options: json(&options)? })
}

pub(super) async fn add(
    app: &App,
    caller: &SignedIn,
    input: NewPasskeyInput,
) -> Result<NewPasskey, Problem> {
    let (user, desk, now) = (caller.user, app.desk().await?, app.journal.clock().now());
    let begun: Begun = desk.challenges.open(Purpose::AddPasskey, &input.challenge, now)?;
    if begun.user != user {
        let detail = "the challenge was given to somebody else";
        return Err(Problem::new(Code::Unauthenticated, detail));
    }
    let response: RegistrationResponse =
        serde_json::from_value(input.passkey).map_err(|error| not_a_passkey(&error))?;
    let record = party(desk)?.finish_registration(begun.state, &response, now);
    let record = record.map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("passkey", text)
    })?;
    let codes = NewCodes::generate();
    let passkey_id = PasskeyId::from_uuid(app.journal.clock().new_id());
    let add = AddPasskey {
        user_id: user,
        passkey_id,
        credential_hash: crate::keys::sha256_hex(&record.id.0),
        record: Pii::plain(json(&record)?.to_string()),
        name: Pii::plain(input.name),
        sign_count: record.sign_count,
        recovery_hashes: codes.hashes(),
    };
    let command = FactorCommand::AddPasskey(Box::new(add), now);
    let context = caller.client.context(app, user);
    app.execute::<Factors>(context, user.to_string(), command).await?;
    let recovery_codes = codes.shown(&of(app, user).await?);
    Ok(NewPasskey { id: passkey_id.to_string(), recovery_codes })
}

pub(super) async fn remove(app: &App, caller: &SignedIn, id: PasskeyId) -> Result<(), Problem> {
    let now = app.journal.clock().now();
    let command = FactorCommand::RemovePasskey { passkey_id: id, now };
    let context = caller.client.context(app, caller.user);
    app.execute::<Factors>(context, caller.user.to_string(), command).await?;
    Ok(())
}

/// Whom passkeys are made for, where the installation has a domain.
pub(super) fn party(desk: &Desk) -> Result<&RelyingParty, Problem> {
    desk.passkeys.as_ref().ok_or_else(|| {
        let detail = "passkeys need a domain: `server.public_url` or `accounts.passkey_domain`";
        Problem::new(Code::Conflict, detail)
    })
}

/// The id of a person that their authenticators know.
pub(super) fn handle(user: UserId) -> Base64Url {
    Base64Url(user.uuid().as_bytes().to_vec())
}

/// As it is stored, with the counter of its last use.
pub(super) async fn record(
    app: &App,
    user: UserId,
    passkey: &Passkey,
) -> Result<Option<CredentialRecord>, Problem> {
    let opened = open(app, user, PASSKEY_RECORD, Some(&passkey.record)).await?;
    let Some(text) = opened else { return Ok(None) };
    let record: CredentialRecord =
        serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?;
    Ok(Some(CredentialRecord { sign_count: passkey.sign_count, ..record }))
}

pub(super) async fn descriptors(
    app: &App,
    user: UserId,
    factors: &Factors,
) -> Result<Vec<PublicKeyCredentialDescriptor>, Problem> {
    let mut descriptors = Vec::new();
    for passkey in factors.passkeys.values() {
        descriptors.extend(record(app, user, passkey).await?.map(|record| record.descriptor()));
    }
    Ok(descriptors)
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<serde_json::Value, Problem> {
    serde_json::to_value(value).map_err(|error| Problem::internal(&error))
}
