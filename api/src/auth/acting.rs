use std::sync::{Mutex, PoisonError};

use access::{Action, ActionSet, Area, Principal};
use domain::ids::OrganizationId;

use crate::problem::{Code, Problem};

/// Who acts in an organisation, and what is known of them to decide by.
#[derive(Debug)]
pub(crate) struct Acting {
    pub org: OrganizationId,
    /// Who acts where an organisation's own things are concerned.
    pub principal: Principal,
    /// Who acts where the platform is concerned, for a key of the platform.
    pub operator: Option<Principal>,
    pub condition: Condition,
    /// Position of the last event about the policies of the organisation.
    pub policies_position: u64,
    /// Actions that the house's own policies are known to allow them.
    allowed: Mutex<ActionSet>,
}

/// What keeps an organisation from being worked in, if anything does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// It can be read and brought back, and nothing else.
    pub archived: bool,
    /// An operator suspended it: it shows itself, and nothing else.
    pub suspended: bool,
}

impl Condition {
    pub const fn is_open(self) -> bool {
        !self.archived && !self.suspended
    }

    /// What goes on in spite of it: what is the platform's, and what lets people out.
    pub fn check(self, action: Action) -> Result<(), Problem> {
        if self.is_open() || action.resource().area() == Area::Platform {
            return Ok(());
        }
        if self.suspended {
            let goes_on = matches!(action, Action::OrganizationsRead | Action::MembersLeave);
            let detail = "the organisation is suspended; ask the operator";
            return if goes_on {
                Ok(())
            } else {
                Err(Problem::new(Code::OrganizationSuspended, detail))
            };
        }
        let goes_on = matches!(action.verb(), "read" | "export" | "explain" | "explain_others")
            || matches!(
                action,
                Action::OrganizationsArchive | Action::MembersLeave | Action::KeysRevoke
            );
        let detail = "the organisation is archived; an owner can bring it back";
        if goes_on { Ok(()) } else { Err(Problem::new(Code::OrganizationArchived, detail)) }
    }
}

impl Acting {
    pub fn new(
        org: OrganizationId,
        principal: Principal,
        condition: Condition,
        policies_position: u64,
    ) -> Self {
        let allowed = Mutex::default();
        Self { org, principal, operator: None, condition, policies_position, allowed }
    }

    #[must_use]
    pub fn run_by(self, operator: Option<Principal>) -> Self {
        Self { operator, ..self }
    }

    /// What is the platform's is done by whoever runs it, everything else in the organisation.
    pub fn principal(&self, area: Area) -> &Principal {
        self.operator.as_ref().filter(|_| area == Area::Platform).unwrap_or(&self.principal)
    }

    /// Whether the house's own policies, which ask neither for time nor place nor for one resource of
    /// many, decide alone and have allowed this before.
    pub fn was_allowed(&self, action: Action) -> bool {
        let allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
        self.policies_position == 0 && allowed.contains(action)
    }

    pub fn note_allowed(&self, action: Action) {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner).extend([action]);
    }
}
