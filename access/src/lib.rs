//! Who may do what, and why.
//!
//! Everything here is pure: what is known about the moment is passed in. A question is put to the
//! built-in policies (the roles, everyone's own things, the boundaries) and to the organisation's
//! own; Cedar decides on each. Deny wins, and what no policy allows is denied.

mod action;
mod builtin;
mod circumstances;
mod engine;
mod explain;
mod permissions;
mod policy;
mod principal;
mod resource;
pub mod workload;

pub use action::{Action, ActionSet, UnknownAction};
pub use builtin::{least_role, schema_text};
pub use circumstances::{BY_ACCOUNT, BY_BACKEND, BY_KEY, BY_OPERATOR, Circumstances, SIGNED_IN_BY};
pub use engine::{CompileError, Decision, Policies, PolicyRef, Reason, Request};
pub use explain::{Considered, Explanation, Ground, Tested};
pub use permissions::{MAX_PERMISSIONS, PermissionError, Permissions};
pub use policy::{
    AddressTest, BuildError, ConditionsForm, Effect, Fault, MAX_BYTES, MAX_POLICIES, MAX_ZONES,
    Outcome, Policy, PolicyForm, TextTest, TimeTest,
};
pub use principal::{Member, Principal, Role, ServiceKind};
pub use resource::{Area, Resource, ResourceKind};
