use domain::{
    ids::{InvitationId, OrganizationId},
    organizations::{INVITATION_LINK, Organization, OrganizationCommand, OrganizationError},
    users::{User, own_organization},
};
use poem_openapi::{OpenApi, payload::Json};

use super::{COLLECTION, check_room};
use crate::{
    accounts::{LinkInput, Noted, SignedIn, noted},
    command::Accepted,
    document::Tag,
    problem::{Code, Problem},
    state::App,
};

/// What whoever is invited says to it.
pub(crate) struct Answers {
    pub app: App,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Answers {
    /// Accept an invitation
    ///
    /// By the link of a mail, which works once, and by the account of the address that is invited alone.
    #[oai(path = "/v1/invitations/accept", method = "post", operation_id = "accept_invitation")]
    async fn accept(&self, caller: SignedIn, input: Json<LinkInput>) -> Result<Accepted, Problem> {
        let app = &self.app;
        let Answer { org, invitation_id, nonce } = self.answer(&caller, &input.0.token).await?;
        let email_index = self.confirmed_address(&caller).await?;
        check_room(app, caller.user).await?;
        let (user_id, now) = (caller.user, app.journal.clock().now());
        let command = OrganizationCommand::AcceptInvitation {
            invitation_id,
            nonce,
            user_id,
            email_index,
            now,
        };
        let context = caller.client.context_in(app, org);
        let committed = app.execute::<Organization>(context, org.to_string(), command).await?;
        app.members.forget(user_id);
        Ok(Accepted::new(committed, COLLECTION))
    }

    /// Decline an invitation
    ///
    /// By the same link, and by the same account.
    #[oai(path = "/v1/invitations/decline", method = "post", operation_id = "decline_invitation")]
    async fn decline(
        &self,
        caller: SignedIn,
        input: Json<LinkInput>,
    ) -> Result<Json<Noted>, Problem> {
        let app = &self.app;
        let Answer { org, invitation_id, nonce } = self.answer(&caller, &input.0.token).await?;
        let email_index = self.confirmed_address(&caller).await?;
        let now = app.journal.clock().now();
        let command =
            OrganizationCommand::DeclineInvitation { invitation_id, nonce, email_index, now };
        let context = caller.client.context_in(app, org);
        app.execute::<Organization>(context, org.to_string(), command).await?;
        Ok(noted("the invitation is declined"))
    }
}

/// Which invitation a link is about, and what its token was made of.
struct Answer {
    org: OrganizationId,
    invitation_id: InvitationId,
    nonce: String,
}

impl Answers {
    /// Guessing is charged to the client's address.
    async fn answer(&self, caller: &SignedIn, token: &str) -> Result<Answer, Problem> {
        match self.find(token).await? {
            Some(answer) => Ok(answer),
            None => Err(caller.client.failed(&self.app, OrganizationError::InvitationLink.into())),
        }
    }

    async fn find(&self, token: &str) -> Result<Option<Answer>, Problem> {
        let mut parts = token.splitn(3, '.');
        let mut part = || parts.next().unwrap_or_default();
        let (org, invitation, token) = (part().parse(), part().parse(), part());
        let (Ok(org), Ok(invitation_id)) = (org, invitation) else { return Ok(None) };
        let org: OrganizationId = org;
        let state = self.app.journal.state::<Organization>(org, &org.to_string()).await?;
        let Some((state, _)) = state else { return Ok(None) };
        let now = self.app.journal.clock().now();
        let Some(open) = state.open_invitation(invitation_id, now) else { return Ok(None) };
        let subject = invitation_id.to_string();
        let desk = self.app.desk().await?;
        let holds = desk.links.verify(INVITATION_LINK, &subject, &open.nonce, token);
        Ok(holds.then(|| Answer { org, invitation_id, nonce: open.nonce.clone() }))
    }

    /// Of the account that answers, as it lies in the blind index.
    async fn confirmed_address(&self, caller: &SignedIn) -> Result<String, Problem> {
        let (user, id) = (caller.user, caller.user.to_string());
        let account = self.app.journal.state::<User>(own_organization(user), &id).await?;
        let (account, _) = account.ok_or_else(Problem::not_found)?;
        if account.email_verified {
            return Ok(account.email_index);
        }
        Err(Problem::new(Code::Forbidden, "confirm the address of the account first"))
    }
}
