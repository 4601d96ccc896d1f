//! Whom the limits hold back, and letting them go: for operators.

mod model;

use poem_openapi::{OpenApi, param::Query, payload::Json};

use crate::{
    auth::PlatformCaller,
    document::Tag,
    done::Done,
    limits::{self, Policy, Subject},
    problem::Problem,
    state::App,
};
use model::{Held, LimiterView, Named, ResetRequest, StandingView};

pub(crate) struct Limiter {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl Limiter {
    /// See how the limits stand with somebody
    ///
    /// As this replica knows it, which is some tenths of a second behind the others. Of a key that has a
    /// limit of its own, what the limit of all would say.
    #[oai(path = "/v1/admin/limiter", method = "get", operation_id = "read_limiter")]
    async fn read(
        &self,
        _caller: PlatformCaller,
        /// A client address.
        address: Query<Option<String>>,
        /// A user or an API key.
        id: Query<Option<String>>,
        /// An address of mail that somebody signs in with.
        email: Query<Option<String>>,
    ) -> Result<Json<LimiterView>, Problem> {
        let named = Named { address: address.0, id: id.0, email: email.0 };
        let held = Held::parse(&self.app, named).await?;
        let subject = held.subject();
        let limits = &self.app.limits;
        let standings =
            held.policies().iter().map(|policy| StandingView::from(limits.peek(*policy, &subject)));
        let (wrong_guesses, guess_wait_s) = limits.guesses_at(&subject);
        Ok(Json(LimiterView { limits: standings.collect(), wrong_guesses, guess_wait_s }))
    }

    /// Let somebody go whom the limits hold back
    ///
    /// Every limit of theirs is as new on every replica within a second, and wrong guesses are
    /// forgotten.
    #[oai(path = "/v1/admin/limiter/reset", method = "post", operation_id = "reset_limiter")]
    async fn reset(
        &self,
        caller: PlatformCaller,
        body: Json<ResetRequest>,
    ) -> Result<Done<ResetRequest>, Problem> {
        let asked = body.0;
        let held = Held::parse(&self.app, Named::from(&asked)).await?;
        let bus = self.app.bus.clone();
        let reset = async move {
            let subject = held.subject();
            for policy in held.policies() {
                limits::clear(&bus, *policy, &subject).await?;
            }
            limits::clear_guesses(&bus, &subject).await
        };
        // An address of mail is nothing for a trace.
        let target = asked.address.as_deref().or(asked.id.as_deref()).unwrap_or("an email");
        caller.carry_out("reset_limiter", target, reset).await?;
        Ok(Done::new(asked, "/v1/admin/limiter".to_owned()))
    }
}

impl From<limits::ExchangeError> for Problem {
    fn from(error: limits::ExchangeError) -> Self {
        Self::unavailable(&error)
    }
}

impl Held {
    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Address(address) => Subject::Address(*address),
            Self::User(id) => Subject::Id(id.uuid()),
            Self::Key(id) => Subject::Id(id.uuid()),
            Self::Email(index) => Subject::Text(index),
        }
    }

    fn policies(&self) -> &'static [Policy] {
        match self {
            Self::Address(_) => {
                &[Policy::Address, Policy::Login, Policy::LoginBegin, Policy::SignUp, Policy::Reset]
            }
            Self::User(_) => &[Policy::User, Policy::Ai],
            Self::Key(_) => &[Policy::Key, Policy::Ai],
            Self::Email(_) => &[Policy::Reset, Policy::Invite],
        }
    }
}
