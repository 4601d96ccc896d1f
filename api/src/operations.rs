//! What each operation asks for. What it is done to is the resource that the path names, in the
//! caller's organisation or on the platform, whichever the action is about.

use access::Action;

/// Every operation of the document, by its id, and its action.
pub(crate) const OPERATIONS: &[(&str, Action)] = &[
    ("request_scan", Action::ScansCreate),
    ("list_scans", Action::ScansRead),
    ("get_scan", Action::ScansRead),
    ("list_findings", Action::FindingsRead),
    ("get_scan_report", Action::ScansRead),
    ("follow_scan_logs", Action::ScansRead),
    ("cancel_scan", Action::ScansCancel),
    ("delete_scan", Action::ScansCancel),
    ("list_events", Action::EventsRead),
    ("stream_events", Action::EventsRead),
    ("follow_events", Action::EventsRead),
    ("issue_api_key", Action::KeysCreate),
    ("list_api_keys", Action::KeysRead),
    ("get_api_key", Action::KeysRead),
    ("rotate_api_key", Action::KeysUpdate),
    ("revoke_api_key", Action::KeysRevoke),
    ("report_leaked_keys", Action::AuthReportLeak),
    ("explain_access", Action::AccessExplain),
    ("add_policy", Action::PoliciesCreate),
    ("list_policies", Action::PoliciesRead),
    ("get_policy", Action::PoliciesRead),
    ("change_policy", Action::PoliciesUpdate),
    ("remove_policy", Action::PoliciesDelete),
    ("list_audit_entries", Action::AuditRead),
    ("export_audit_entries", Action::AuditExport),
    ("export_all_audit_entries", Action::AdminAuditRead),
    // To send the log away is to export it, for ever.
    ("add_audit_sink", Action::AuditExport),
    ("list_audit_sinks", Action::AuditExport),
    ("get_audit_sink", Action::AuditExport),
    ("change_audit_sink", Action::AuditExport),
    ("remove_audit_sink", Action::AuditExport),
    ("list_my_audit_entries", Action::UsersRead),
    ("list_all_audit_entries", Action::AdminAuditRead),
    // They are events of the organisation. Those of all are the platform's, see `Caller::reach`.
    ("list_dead_letters", Action::EventsRead),
    ("get_dead_letter", Action::EventsRead),
    ("replay_dead_letter", Action::DeadLettersReplay),
    ("discard_dead_letter", Action::DeadLettersDiscard),
    ("list_projections", Action::ProjectionsRead),
    ("get_projection", Action::ProjectionsRead),
    ("rebuild_projection", Action::ProjectionsRebuild),
    ("cancel_projection_rebuild", Action::ProjectionsRebuild),
    ("switch_projection", Action::ProjectionsSwitch),
    ("rollback_projection", Action::ProjectionsSwitch),
    ("drop_projection_standby", Action::ProjectionsSwitch),
    ("sign_up", Action::AuthSignUp),
    ("verify_email", Action::AuthVerify),
    ("log_in", Action::AuthSignIn),
    ("give_second_factor", Action::AuthSignIn),
    ("begin_passkey_login", Action::AuthBegin),
    ("log_in_by_passkey", Action::AuthSignIn),
    ("list_providers", Action::DocumentsRead),
    ("begin_provider_login", Action::AuthBegin),
    // It proves who somebody is, and lets nobody in yet.
    ("return_from_provider", Action::AuthVerify),
    ("log_in_by_provider", Action::AuthSignIn),
    ("list_my_identities", Action::UsersRead),
    ("link_identity", Action::UsersIdentities),
    ("unlink_identity", Action::UsersIdentities),
    ("refresh_session", Action::AuthRefresh),
    ("change_email", Action::AuthVerify),
    ("ask_password_reset", Action::AuthRecover),
    ("complete_password_reset", Action::AuthRecover),
    ("get_token_keys", Action::DocumentsRead),
    ("log_out", Action::SessionsRevoke),
    ("log_out_everywhere", Action::SessionsRevoke),
    ("get_me", Action::UsersRead),
    ("list_my_sessions", Action::SessionsRead),
    ("end_my_session", Action::SessionsRevoke),
    ("get_second_factors", Action::UsersRead),
    ("begin_totp", Action::UsersSecondFactor),
    ("confirm_totp", Action::UsersSecondFactor),
    ("remove_totp", Action::UsersSecondFactor),
    ("begin_passkey", Action::UsersSecondFactor),
    ("add_passkey", Action::UsersSecondFactor),
    ("remove_passkey", Action::UsersSecondFactor),
    ("renew_recovery_codes", Action::UsersSecondFactor),
    ("change_my_profile", Action::UsersUpdate),
    ("change_my_password", Action::UsersChangePassword),
    ("ask_email_change", Action::UsersChangeEmail),
    ("export_me", Action::UsersExport),
    ("erase_user", Action::UsersErase),
    ("create_organization", Action::OrganizationsCreate),
    // Which memberships somebody has is told by their own account.
    ("list_my_organizations", Action::UsersRead),
    ("get_organization", Action::OrganizationsRead),
    ("change_organization", Action::OrganizationsUpdate),
    ("archive_organization", Action::OrganizationsArchive),
    ("unarchive_organization", Action::OrganizationsArchive),
    ("get_billing_contact", Action::OrganizationsUpdate),
    ("set_billing_contact", Action::OrganizationsUpdate),
    ("remove_billing_contact", Action::OrganizationsUpdate),
    ("list_members", Action::MembersRead),
    ("get_member", Action::MembersRead),
    ("change_member", Action::MembersUpdate),
    ("remove_member", Action::MembersRemove),
    ("leave_organization", Action::MembersLeave),
    ("transfer_organization", Action::OrganizationsTransfer),
    ("invite_member", Action::MembersInvite),
    ("resend_invitation", Action::MembersInvite),
    ("list_invitations", Action::InvitationsRead),
    ("get_invitation", Action::InvitationsRead),
    ("revoke_invitation", Action::InvitationsRevoke),
    ("accept_invitation", Action::InvitationsAnswer),
    ("decline_invitation", Action::InvitationsAnswer),
    ("block_address", Action::AddressBlocksCreate),
    ("list_address_blocks", Action::AddressBlocksRead),
    ("get_address_block", Action::AddressBlocksRead),
    ("unblock_address", Action::AddressBlocksDelete),
    ("list_users", Action::AdminUsersRead),
    ("get_user", Action::AdminUsersRead),
    ("suspend_user", Action::AdminUsersSuspend),
    ("unsuspend_user", Action::AdminUsersSuspend),
    ("end_user_sessions", Action::AdminUsersRecover),
    ("remove_user_factors", Action::AdminUsersRecover),
    ("impersonate_user", Action::AdminImpersonate),
    ("list_all_organizations", Action::AdminOrganizationsRead),
    ("get_any_organization", Action::AdminOrganizationsRead),
    ("suspend_organization", Action::AdminOrganizationsSuspend),
    ("unsuspend_organization", Action::AdminOrganizationsSuspend),
    ("get_overview", Action::AdminOverviewRead),
    ("read_limiter", Action::LimiterRead),
    ("reset_limiter", Action::LimiterReset),
    ("get_liveness", Action::HealthRead),
    ("get_readiness", Action::HealthRead),
    ("get_metrics", Action::MetricsRead),
    ("request_scan_alias", Action::ScansCreate),
    ("list_scans_alias", Action::ScansRead),
    ("get_scan_alias", Action::ScansRead),
    ("list_findings_alias", Action::FindingsRead),
    ("delete_scan_alias", Action::ScansCancel),
];

pub(crate) fn action(operation: &str) -> Option<Action> {
    OPERATIONS.iter().find(|(id, _)| *id == operation).map(|(_, action)| *action)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use access::{Circumstances, Policies, Principal, Request, Resource};
    use poem_openapi::OpenApi;

    use super::*;

    /// The security schemes of every operation of the document, by its id.
    fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
        let paths = <crate::Apis as OpenApi>::meta().into_iter().flat_map(|api| api.paths);
        let operations = paths.flat_map(|path| path.operations);
        operations
            .map(|operation| {
                let schemes = operation.security.iter().flat_map(|scheme| scheme.keys().copied());
                (operation.operation_id.unwrap(), schemes.collect())
            })
            .collect()
    }

    #[test]
    fn every_operation_of_the_document_has_an_action() {
        let without = documented().into_keys().filter(|id| action(id).is_none());
        assert_eq!(without.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn the_table_names_operations_of_the_document_alone_and_each_once() {
        let documented = documented();
        for (id, _) in OPERATIONS {
            assert!(documented.contains_key(id), "there is no operation {id}");
            let rows = OPERATIONS.iter().filter(|(other, _)| other == id).count();
            assert_eq!(rows, 1, "{id}");
        }
    }

    #[test]
    fn an_operation_takes_the_key_that_its_action_needs() {
        for (id, schemes) in documented() {
            let action = action(id).unwrap();
            let needs = match action.resource().area() {
                access::Area::Public => &[][..],
                access::Area::Platform => &["platform_bearer", "platform_api_key"],
                access::Area::Account => &["session"],
                access::Area::Organization if !action.is_governed() => &["session"],
                access::Area::Organization => &["bearer", "api_key", "session"],
            };
            assert_eq!(schemes, needs, "{id} asks for {action}");
        }
    }

    #[test]
    fn policies_and_the_log_know_the_same_services() {
        let of_policies = access::ServiceKind::ALL.map(access::ServiceKind::name);
        assert_eq!(of_policies, domain::Service::ALL.map(domain::Service::as_str));
    }

    #[test]
    fn what_needs_no_key_is_allowed_to_everybody() {
        for (id, schemes) in documented() {
            let action = action(id).unwrap();
            let decision = Policies::built_in().decide(&Request {
                principal: &Principal::Guest,
                action,
                resource: &Resource::platform(),
                circumstances: &Circumstances::default(),
            });
            assert_eq!(decision.allowed, schemes.is_empty(), "{id} asks for {action}");
        }
    }
}
