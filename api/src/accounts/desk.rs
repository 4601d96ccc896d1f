use std::{borrow::Cow, time::Duration};

use credentials::{
    access::{AccessClaims, ActorClaim},
    passkey::RelyingParty,
    password::Hasher,
};
use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, SessionId, UserId},
    sessions::Proof,
};
use projections::{TenantScope, organizations, sessions};
use quick_cache::sync::Cache;
use rand::RngCore;
use tokio::{sync::OnceCell, time::Instant};
use vault::LinkKey;

use super::{Providers, challenge::Challenges, signing::Signing};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// A session that was alive is asked about again after this time, so that one that is ended is refused by
/// every replica in less than a second.
const ALIVE_FOR: Duration = Duration::from_millis(500);
const SESSIONS: usize = 50_000;

/// What accounts need besides the log: made when it is first needed, as it comes from the vault.
pub(crate) struct Desk {
    pub hasher: Hasher,
    pub links: LinkKey,
    pub index: vault::BlindIndex,
    pub challenges: Challenges,
    /// None where the installation has no domain.
    pub passkeys: Option<RelyingParty>,
    pub signing: Signing,
    pub providers: Providers,
    issuer: String,
    audience: String,
    alive: Cache<SessionId, Alive>,
}

/// A session that was alive until a moment ago.
#[derive(Clone)]
struct Alive {
    user: UserId,
    /// Who acts in it, where it is not the user.
    operator: Option<ApiKeyId>,
    until: Instant,
}

/// Whom an access token is of.
pub(crate) struct Identity {
    pub user: UserId,
    /// None for a token of somebody else, which belongs to no session of ours.
    pub session: Option<SessionId>,
    pub signed_in_at: Option<Timestamp>,
    /// Whether they gave a second factor when they signed in.
    pub second_factor: bool,
    /// By whom they were let in, as policies name it.
    pub signed_in_by: Cow<'static, str>,
    /// The organisation that the token is for, if it is for one.
    pub organization: Option<OrganizationId>,
    /// The key of the platform whose owner acts as the user.
    pub operator: Option<ApiKeyId>,
}

/// Says in an access token that there were two factors (RFC 8176).
pub(super) const TWO_FACTORS: &str = "mfa";

/// The desk of an app that may not have been asked for it yet.
#[derive(Default)]
pub(crate) struct DeskCell(OnceCell<Desk>);

impl DeskCell {
    pub async fn get(&self, app: &App) -> Result<&Desk, Problem> {
        self.0.get_or_try_init(|| Desk::open(app)).await
    }

    /// None while nobody has asked for it.
    pub fn get_open(&self) -> Option<&Desk> {
        self.0.get()
    }
}

impl Desk {
    async fn open(app: &App) -> Result<Self, Problem> {
        let secret = app.journal.secret()?;
        let options = &app.options;
        let issuer = options.public_url.as_ref().map_or("millrace", |url| url.as_str()).to_owned();
        let audience = format!("{}/v1", issuer.trim_end_matches('/'));
        Ok(Self {
            hasher: Hasher::new(&options.passwords).map_err(|error| Problem::internal(&error))?,
            links: secret.link_key(),
            index: secret.blind_index(),
            challenges: Challenges::new(secret),
            passkeys: options
                .passkeys
                .clone()
                .map(RelyingParty::new)
                .transpose()
                .map_err(|e| Problem::internal(&e))?,
            signing: Signing::open(&app.journal, &issuer, &audience).await?,
            providers: Providers::new(&options.login)?,
            issuer,
            audience,
            alive: Cache::new(SESSIONS),
        })
    }

    /// An access token, and when it expires.
    pub fn access_token(
        &self,
        app: &App,
        user: UserId,
        session: SessionId,
        (proofs, provider): (&[Proof], Option<String>),
        signed_in_at: Timestamp,
    ) -> (String, Timestamp) {
        let expires_at = app.journal.clock().now() + app.options.access_token_life;
        let token = self.signing.keys().keys.sign(&AccessClaims {
            amr: methods(proofs),
            idp: provider,
            auth_time: signed_in_at.timestamp(),
            ..self.claims(app, user, session, expires_at)
        });
        (token, expires_at)
    }

    /// An access token for the owner of a key of the platform, who acts as the user.
    pub fn impersonation_token(
        &self,
        app: &App,
        user: UserId,
        session: SessionId,
        operator: ApiKeyId,
        expires_at: Timestamp,
    ) -> String {
        self.signing.keys().keys.sign(&AccessClaims {
            act: Some(ActorClaim { sub: operator.to_string() }),
            ..self.claims(app, user, session, expires_at)
        })
    }

    /// What every access token says that is made now.
    fn claims(
        &self,
        app: &App,
        user: UserId,
        session: SessionId,
        expires_at: Timestamp,
    ) -> AccessClaims {
        let clock = app.journal.clock();
        let now = clock.now().timestamp();
        AccessClaims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user.to_string(),
            org: None,
            sid: session.to_string(),
            roles: Vec::new(),
            scope: None,
            act: None,
            amr: Vec::new(),
            idp: None,
            auth_time: now,
            iat: now,
            nbf: now,
            exp: expires_at.timestamp(),
            jti: clock.new_id().to_string(),
        }
    }

    /// Whose token it is: one of a provider that is taken in place of ours, or else one of ours.
    pub async fn check(&self, app: &App, token: &str) -> Result<Identity, Problem> {
        match self.providers.check(app, self, token).await? {
            Some(known) => Ok(known),
            None => self.check_own(app, token).await.map(|(known, _)| known),
        }
    }

    /// Whose token of ours it is, if it holds and its session is alive.
    pub async fn check_own(
        &self,
        app: &App,
        token: &str,
    ) -> Result<(Identity, SessionId), Problem> {
        let now = app.journal.clock().now();
        let refused = |detail: String| Problem::new(Code::Unauthenticated, detail);
        let claims =
            self.signing.keys().verifier.verify(token, now).map_err(|e| refused(e.to_string()))?;
        let ids = claims.sub.parse::<UserId>().ok().zip(claims.sid.parse::<SessionId>().ok());
        let (user, session) = ids.ok_or_else(|| refused("the token is of nobody".to_owned()))?;
        let operator = claims.act.map(|act| act.sub.parse::<ApiKeyId>()).transpose();
        let operator = operator.map_err(|_| refused("the token is of nobody".to_owned()))?;
        if self.is_alive(app, user, session, operator, now).await? {
            let second_factor = claims.amr.iter().any(|method| method == TWO_FACTORS);
            let organization = claims.org.as_deref().and_then(|org| org.parse().ok());
            let known = Identity {
                user,
                session: Some(session),
                signed_in_at: Timestamp::from_timestamp(claims.auth_time, 0),
                second_factor,
                signed_in_by: match (operator, claims.idp) {
                    (Some(_), _) => access::BY_OPERATOR.into(),
                    (None, Some(provider)) => provider.into(),
                    (None, None) => access::BY_ACCOUNT.into(),
                },
                organization,
                operator,
            };
            return Ok((known, session));
        }
        Err(over())
    }

    /// Refuses a session that is over.
    pub async fn check_session(
        &self,
        app: &App,
        user: UserId,
        session: SessionId,
        operator: Option<ApiKeyId>,
    ) -> Result<(), Problem> {
        let now = app.journal.clock().now();
        let alive = self.is_alive(app, user, session, operator, now).await?;
        alive.then_some(()).ok_or_else(over)
    }

    async fn is_alive(
        &self,
        app: &App,
        user: UserId,
        session: SessionId,
        operator: Option<ApiKeyId>,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let is_it = |known: Alive| {
            known.user == user && known.operator == operator && Instant::now() < known.until
        };
        if self.alive.get(&session).is_some_and(is_it) {
            return Ok(true);
        }
        let until = Instant::now() + ALIVE_FOR;
        let view = app.views.open(sessions::NAME, None, Duration::ZERO).await?;
        let scope = TenantScope(domain::users::own_organization(user));
        // A session that has only just started may not be in the view yet.
        let alive = sessions::is_alive(scope, &view, session, now).await?
            || super::session::is_alive(app, user, session, now).await?;
        // It ends with the key of whoever acts in it.
        let alive = alive
            && match operator {
                Some(key) => {
                    let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
                    organizations::is_platform_key(&view, key, now).await?
                }
                None => true,
            };
        if alive {
            self.alive.insert(session, Alive { user, operator, until });
        }
        Ok(alive)
    }

    /// This replica asks about every session of the person again at once, and whom they are linked to.
    pub fn forget_all_of(&self, user: UserId) {
        self.providers.forget(user);
        self.alive.retain(|_, known| known.user != user);
    }

    /// The same for sessions in which the owner of the key acts as somebody.
    pub fn forget_operator(&self, key: ApiKeyId) {
        self.alive.retain(|_, known| known.operator != Some(key));
    }

    /// This replica asks about the session again at once.
    pub fn forget(&self, session: SessionId) {
        self.alive.remove(&session);
    }
}

fn over() -> Problem {
    Problem::new(Code::Unauthenticated, "the session is over; sign in again")
}

fn methods(proofs: &[Proof]) -> Vec<String> {
    let mut methods: Vec<_> = proofs.iter().map(|proof| proof.method()).collect();
    if Proof::are_two(proofs) {
        methods.push(TWO_FACTORS);
    }
    methods.into_iter().map(str::to_owned).collect()
}

/// What a link is made of beside the keys.
pub(crate) fn nonce() -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut random = [0; 16];
    rand::rng().fill_bytes(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}
