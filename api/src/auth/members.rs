use std::{sync::Arc, time::Duration};

use domain::{
    ids::{OrganizationId, UserId},
    organizations::{Organization, SLUG_CLAIM},
};
use projections::{
    TenantScope,
    organizations::{self, Membership, Standing},
};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::{acting::Condition, member::ValidMember};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// Users whose memberships are remembered. Those of one that falls out are looked up again.
const MAX_USERS: usize = 10_000;
/// Memberships looked up at once; more of them are found one by one.
const MAX_MEMBERSHIPS: u32 = 100;
/// A member who was removed is refused, and a new role holds, soon after this time at the latest.
const FRESH: Duration = Duration::from_millis(500);

/// The organisation in which a user wants to act.
pub(crate) enum Wanted {
    Id(OrganizationId),
    Slug(String),
    /// The only one there is.
    OnlyOne,
}

/// Memberships as they were a moment ago, by user.
pub(crate) struct MemberCache {
    entries: Cache<UserId, Entry>,
}

#[derive(Clone)]
struct Entry {
    members: Arc<[Arc<ValidMember>]>,
    looked_up: Instant,
}

impl Wanted {
    pub fn named(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Self::Slug(text.to_owned()), Self::Id)
    }

    fn is(&self, member: &ValidMember) -> bool {
        match self {
            Self::Id(id) => member.acting.org == *id,
            Self::Slug(slug) => member.slug == *slug,
            Self::OnlyOne => true,
        }
    }
}

impl MemberCache {
    pub fn new() -> Self {
        Self { entries: Cache::new(MAX_USERS) }
    }

    /// The user as a member of the organisation. One of which they are no member does not exist.
    pub async fn find(
        &self,
        app: &App,
        user: UserId,
        wanted: Wanted,
    ) -> Result<Arc<ValidMember>, Problem> {
        let members = self.of(app, user).await?;
        if matches!(wanted, Wanted::OnlyOne) {
            return only_one(&members);
        }
        match members.iter().find(|member| wanted.is(member)) {
            Some(member) => Ok(Arc::clone(member)),
            // Somebody who has only just joined may not be in the view yet.
            None => from_log(app, user, wanted).await?.ok_or_else(Problem::not_found),
        }
    }

    /// The same, for everybody who is a member of the organisation.
    pub fn forget_all_of(&self, org: OrganizationId) {
        self.entries.retain(|_, entry| entry.members.iter().all(|member| member.acting.org != org));
    }

    /// This replica looks again at once.
    pub fn forget(&self, user: UserId) {
        self.entries.remove(&user);
    }

    async fn of(&self, app: &App, user: UserId) -> Result<Arc<[Arc<ValidMember>]>, Problem> {
        if let Some(entry) = self.entries.get(&user)
            && entry.looked_up.elapsed() < FRESH
        {
            return Ok(entry.members);
        }
        let looked_up = Instant::now();
        let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
        let found = organizations::memberships(&view, user, MAX_MEMBERSHIPS).await?;
        let members: Arc<[_]> = found.into_iter().map(|found| Arc::new(valid(found))).collect();
        // Whoever is nowhere a member joins soon, and is not to wait then.
        if !members.is_empty() {
            self.entries.insert(user, Entry { members: Arc::clone(&members), looked_up });
        }
        Ok(members)
    }
}

fn valid(found: Membership) -> ValidMember {
    let Membership { organization, member, policies_position } = found;
    let place = (organization.org, &member.standing);
    let condition = Condition {
        archived: organization.archived_at.is_some(),
        suspended: organization.suspended_at.is_some(),
    };
    ValidMember::new(member.user, organization.slug, place, condition, policies_position)
}

/// One that is archived or suspended is acted in only by whoever names it, or has no other.
fn only_one(members: &[Arc<ValidMember>]) -> Result<Arc<ValidMember>, Problem> {
    let required = |detail| Err(Problem::new(Code::OrganizationRequired, detail));
    let mut active = members.iter().filter(|member| member.acting.condition.is_open());
    match (active.next(), active.next(), members) {
        (Some(only), None, _) | (None, None, [only]) => Ok(Arc::clone(only)),
        (_, _, []) => required("you are a member of no organisation yet, and this is done in one"),
        _ => required("you are a member of several organisations: say which one is meant"),
    }
}

async fn from_log(
    app: &App,
    user: UserId,
    wanted: Wanted,
) -> Result<Option<Arc<ValidMember>>, Problem> {
    let org = match wanted {
        Wanted::Id(id) => id,
        Wanted::Slug(slug) => {
            let claimed = app.journal.claimed_by(SLUG_CLAIM, &slug).await;
            let claimed = claimed.map_err(|error| Problem::unavailable(&error))?;
            let Some(id) = claimed.and_then(|id| id.parse().ok()) else { return Ok(None) };
            id
        }
        Wanted::OnlyOne => return Ok(None),
    };
    let found = app.journal.state::<Organization>(org, &org.to_string()).await?;
    let Some((state, _)) = found else { return Ok(None) };
    let Some(member) = state.member(user) else { return Ok(None) };
    let standing = Standing { role: member.role, permissions: member.permissions.clone() };
    let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
    let position = organizations::policies_position(TenantScope(org), &view).await?;
    let condition = Condition { archived: state.archived, suspended: state.suspended };
    let slug = state.settings.slug.clone();
    Ok(Some(Arc::new(ValidMember::new(user, slug, (org, &standing), condition, position))))
}
