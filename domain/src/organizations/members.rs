use super::{
    MAX_EXTRA_PERMISSIONS, Member, Organization, OrganizationError, OrganizationEvent, Role,
    command::Decided, invitations, settings,
};
use crate::{Decision, Timestamp, ids::UserId};

/// Gives a member another place. Nobody gives more than they have.
pub(super) fn change(
    state: &Organization,
    user_id: UserId,
    role: Role,
    permissions: Vec<String>,
    by: Option<UserId>,
    now: Timestamp,
) -> Decided {
    let member = state.member(user_id).ok_or(OrganizationError::UnknownMember)?;
    let permissions = checked(permissions)?;
    if member.role == role && member.permissions == permissions {
        return Ok(Decision::AlreadyApplied);
    }
    let rank = state.rank(by)?;
    if rank < member.role.max(role) {
        return Err(OrganizationError::AboveOwnRole);
    }
    if rank < Role::Admin && member.permissions != permissions {
        return Err(OrganizationError::AboveOwnRole);
    }
    if role != Role::Owner {
        check_owner_stays(state, user_id)?;
    }
    let changed = OrganizationEvent::MemberChanged { user_id, role, permissions, changed_at: now };
    Ok(with(changed, invitations::beyond(state, user_id, Some(role), now)))
}

pub(super) fn remove(
    state: &Organization,
    user_id: UserId,
    by: Option<UserId>,
    now: Timestamp,
) -> Decided {
    let member = state.member(user_id).ok_or(OrganizationError::UnknownMember)?;
    if state.rank(by)? < member.role {
        return Err(OrganizationError::AboveOwnRole);
    }
    check_owner_stays(state, user_id)?;
    let removed = OrganizationEvent::MemberRemoved { user_id, removed_at: now };
    Ok(with(removed, invitations::beyond(state, user_id, None, now)))
}

pub(super) fn leave(state: &Organization, user_id: UserId, now: Timestamp) -> Decided {
    state.member(user_id).ok_or(OrganizationError::UnknownMember)?;
    check_owner_stays(state, user_id)?;
    let left = OrganizationEvent::MemberLeft { user_id, left_at: now };
    Ok(with(left, invitations::beyond(state, user_id, None, now)))
}

/// Somebody's account ends. An organisation of which they were the only member has nobody left to act.
pub(super) fn erase(state: &Organization, user_id: UserId, now: Timestamp) -> Decided {
    if state.member(user_id).is_none() {
        return Ok(Decision::AlreadyApplied);
    }
    let left = OrganizationEvent::MemberLeft { user_id, left_at: now };
    if state.members.len() > 1 {
        check_owner_stays(state, user_id)?;
        return Ok(with(left, invitations::beyond(state, user_id, None, now)));
    }
    Ok(with(left, settings::archived(state, now)))
}

/// `by` is an owner, or acts in the owner's place.
pub(super) fn transfer(
    state: &Organization,
    to: UserId,
    by: Option<UserId>,
    now: Timestamp,
) -> Decided {
    state.member(to).ok_or(OrganizationError::UnknownMember)?;
    if state.rank(by)? < Role::Owner {
        return Err(OrganizationError::AboveOwnRole);
    }
    if by == Some(to) {
        return Ok(Decision::AlreadyApplied);
    }
    let beyond = by.map(|by| invitations::beyond(state, by, Some(Role::Admin), now));
    let handed_on = OrganizationEvent::Transferred { to, from: by, transferred_at: now };
    Ok(with(handed_on, beyond.unwrap_or_default()))
}

fn with(event: OrganizationEvent, more: Vec<OrganizationEvent>) -> Decision<OrganizationEvent> {
    Decision::Accept([event].into_iter().chain(more).collect())
}

pub(super) fn founder(user_id: UserId, now: Timestamp) -> OrganizationEvent {
    OrganizationEvent::MemberJoined {
        user_id,
        role: Role::Owner,
        permissions: Vec::new(),
        joined_at: now,
    }
}

/// Each once and in one order, so that two lists of the same are the same.
pub(super) fn checked(mut permissions: Vec<String>) -> Result<Vec<String>, OrganizationError> {
    const MAX_BYTES: usize = 64;
    permissions.sort_unstable();
    permissions.dedup();
    let fits = |name: &String| {
        (1..=MAX_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if permissions.len() > MAX_EXTRA_PERMISSIONS || !permissions.iter().all(fits) {
        return Err(OrganizationError::Permissions);
    }
    Ok(permissions)
}

/// Whoever is the last owner stays one, or nobody could do what only owners may.
fn check_owner_stays(state: &Organization, user_id: UserId) -> Result<(), OrganizationError> {
    let is_owner = |member: &Member| member.role == Role::Owner;
    let owners = state.members.values().filter(|member| is_owner(member)).count();
    let last = owners == 1 && state.member(user_id).is_some_and(is_owner);
    if last { Err(OrganizationError::LastOwner) } else { Ok(()) }
}

impl Organization {
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.get(&user.to_string())
    }

    /// The role of whoever acts. Nobody means a key that acts in the owner's place.
    pub(super) fn rank(&self, by: Option<UserId>) -> Result<Role, OrganizationError> {
        match by {
            None => Ok(Role::Owner),
            Some(user) => {
                let member = self.member(user).ok_or(OrganizationError::UnknownMember)?;
                Ok(member.role)
            }
        }
    }
}
