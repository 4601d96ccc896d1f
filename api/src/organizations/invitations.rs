use domain::{
    Pii,
    ids::{InvitationId, UserId},
    organizations::{INVITED_EMAIL, Invite, OrganizationCommand},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::organizations::{self, InvitationRow};

use super::{
    COLLECTION, Given, commit, grant,
    model::{InvitationPage, InvitationRequest, InvitationView},
};
use crate::{
    accounts::{nonce, owner, parse_address},
    auth::Caller,
    charge,
    command::{Accepted, Input, part_made},
    document::Tag,
    ids::parse_id,
    limits::{Policy, Subject},
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};

/// Invitations by mail. Whoever invites learns nothing about the accounts of others.
pub(crate) struct Invitations {
    pub app: App,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Invitations {
    /// Invite somebody
    ///
    /// By a mail with a link, which only the account of the address can use, also one that is made later.
    /// It takes the place of an invitation that the address had. It ends when whoever made it leaves, or
    /// could not give such a place any more, and when the organisation is archived.
    #[oai(
        path = "/v1/organizations/:id/invitations",
        method = "post",
        operation_id = "invite_member"
    )]
    async fn invite(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<InvitationRequest>,
    ) -> Result<Accepted, Problem> {
        let (app, desk) = (&self.app, self.app.desk().await?);
        let InvitationRequest { email, role, permissions } = body.value;
        let extra = grant::permissions(&permissions)?;
        grant::check(&caller, role.into(), &extra)?;
        let email = parse_address(&email)?;
        let email_index = desk.index.email(&email).to_string();
        charge_mail(app, &caller, &email_index)?;
        let clock = app.journal.clock();
        let invitation_id = InvitationId::from_uuid(clock.new_id());
        let invite = Box::new(Invite {
            invitation_id,
            account: owner(app, desk, &email).await?,
            email: Pii::plain(email.as_str().to_owned()),
            email_index,
            role: role.into(),
            permissions: extra.names().to_vec(),
            nonce: nonce(),
            expires_at: clock.now() + app.options.invitation_life,
            by: caller.user(),
        });
        // The hash of a body with an address in it must not be kept.
        let given = (request, key.0, None);
        let invited = |now| OrganizationCommand::Invite(invite, now);
        let committed = commit(app, &caller, given, None, invited).await?;
        let id = part_made(app, &committed, "invitation_id", invitation_id).await?;
        Ok(Accepted::of_part(committed, id.to_string(), &collection(&caller)))
    }

    /// List the invitations
    ///
    /// Those that wait for an answer, oldest first.
    #[oai(
        path = "/v1/organizations/:id/invitations",
        method = "get",
        operation_id = "list_invitations"
    )]
    async fn list(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<InvitationPage>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let (now, slice) = (self.app.journal.clock().now(), slice(&limit, &cursor));
        let page = organizations::invitations(caller.tenant(), &view, now, slice).await?;
        let mut invitations = Vec::with_capacity(page.items.len());
        for row in page.items {
            invitations.push(shown(&self.app, row).await?);
        }
        let page = InvitationPage { invitations, next_cursor: page.next_cursor };
        Ok(Read::new(page, view.position()))
    }

    /// Read an invitation
    ///
    /// While it waits for an answer.
    #[oai(
        path = "/v1/organizations/:id/invitations/:invitation_id",
        method = "get",
        operation_id = "get_invitation"
    )]
    async fn get(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        invitation_id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<InvitationView>, Problem> {
        let id = parse_id(&invitation_id.0)?;
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let now = self.app.journal.clock().now();
        let row = organizations::invitation(caller.tenant(), &view, id, now).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        Ok(Read::new(shown(&self.app, row).await?, view.position()))
    }

    /// Send an invitation again
    ///
    /// With another link: the one before works no longer, and the invitation lives as long as a new one.
    #[oai(
        path = "/v1/organizations/:id/invitations/:invitation_id/resend",
        method = "post",
        operation_id = "resend_invitation"
    )]
    async fn resend(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        invitation_id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let invitation_id: InvitationId = parse_id(&invitation_id.0)?;
        let (app, by) = (&self.app, caller.user());
        charge::subject(app, &caller.scope, Policy::Invite, &Subject::Id(caller.id()))?;
        let (nonce, life) = (nonce(), app.options.invitation_life);
        self.give(&caller, (request, key.0, None), invitation_id, |now| {
            let expires_at = now + life;
            OrganizationCommand::ResendInvitation { invitation_id, nonce, expires_at, by, now }
        })
        .await
    }

    /// Take an invitation back
    #[oai(
        path = "/v1/organizations/:id/invitations/:invitation_id",
        method = "delete",
        operation_id = "revoke_invitation"
    )]
    async fn revoke(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        invitation_id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let (invitation_id, by) = (parse_id(&invitation_id.0)?, caller.user());
        self.give(&caller, (request, key.0, None), invitation_id, |now| {
            OrganizationCommand::RevokeInvitation { invitation_id, by, now }
        })
        .await
    }
}

impl Invitations {
    /// Gives a command about one of them.
    async fn give(
        &self,
        caller: &Caller,
        given: Given<'_>,
        id: InvitationId,
        command: impl FnOnce(domain::Timestamp) -> OrganizationCommand,
    ) -> Result<Accepted, Problem> {
        let committed = commit(&self.app, caller, given, None, command).await?;
        Ok(Accepted::of_part(committed, id.to_string(), &collection(caller)))
    }
}

fn collection(caller: &Caller) -> String {
    format!("{COLLECTION}/{}/invitations", caller.org)
}

/// Nobody is flooded with mails by many organisations, and nobody sends many to anybody.
fn charge_mail(app: &App, caller: &Caller, email_index: &str) -> Result<(), Problem> {
    for subject in [Subject::Id(caller.id()), Subject::Text(email_index)] {
        charge::subject(app, &caller.scope, Policy::Invite, &subject)?;
    }
    Ok(())
}

async fn shown(app: &App, row: InvitationRow) -> Result<InvitationView, Problem> {
    let email = app.journal.open_personal(row.id.uuid(), INVITED_EMAIL, &row.email).await?;
    Ok(InvitationView {
        id: row.id.to_string(),
        email: email.known(),
        role: row.standing.role.into(),
        permissions: row.standing.permissions,
        inviter: row.inviter.as_ref().map(UserId::to_string),
        invited_at: row.invited_at,
        mailed_at: row.mailed_at,
        expires_at: row.expires_at,
    })
}
