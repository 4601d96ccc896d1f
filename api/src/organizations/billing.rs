use domain::{
    Pii,
    ids::BillingContactId,
    organizations::{
        BILLING_EMAIL, BILLING_NAME, BillingContact, Organization, OrganizationCommand,
    },
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path},
};
use projections::organizations;

use super::{
    give,
    model::{BillingContactRequest, BillingContactView},
};
use crate::{
    accounts::parse_address,
    auth::Caller,
    command::{Accepted, Input},
    document::Tag,
    problem::Problem,
    read::{Freshness, Read},
    state::App,
};

/// Who is asked about invoices: a person with a key of their own, which is destroyed when somebody else
/// takes their place.
pub(crate) struct Billing {
    pub app: App,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Billing {
    /// Read the billing contact
    #[oai(
        path = "/v1/organizations/:id/billing-contact",
        method = "get",
        operation_id = "get_billing_contact"
    )]
    async fn get(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<BillingContactView>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let row = organizations::billing_contact(caller.tenant(), &view).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        let (journal, subject) = (&self.app.journal, row.contact.uuid());
        let email = journal.open_personal(subject, BILLING_EMAIL, &row.email).await?.known();
        let name = match &row.name {
            Some(name) => journal.open_personal(subject, BILLING_NAME, name).await?.known(),
            None => None,
        };
        let contact = BillingContactView { id: row.contact.to_string(), email, name };
        Ok(Read::new(contact, view.position()))
    }

    /// Set the billing contact
    ///
    /// What is kept of the one before cannot be read any more.
    #[oai(
        path = "/v1/organizations/:id/billing-contact",
        method = "put",
        operation_id = "set_billing_contact"
    )]
    async fn set(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<BillingContactRequest>,
    ) -> Result<Accepted, Problem> {
        let BillingContactRequest { email, name } = body.value;
        parse_address(&email)?;
        let contact_id = BillingContactId::from_uuid(self.app.journal.clock().new_id());
        let email = Pii::plain(email.trim().to_owned());
        let contact = Box::new(BillingContact { contact_id, email, name: name.map(Pii::plain) });
        let former = former(&self.app, &caller).await?;
        // The hash of a body with an address in it must not be kept.
        let given = (request, key.0, None);
        let set = |now| OrganizationCommand::SetBillingContact(contact, now);
        let accepted = give(&self.app, &caller, given, set).await?;
        forget(&self.app, former).await?;
        Ok(accepted)
    }

    /// Remove the billing contact
    ///
    /// What is kept of it cannot be read any more.
    #[oai(
        path = "/v1/organizations/:id/billing-contact",
        method = "delete",
        operation_id = "remove_billing_contact"
    )]
    async fn remove(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let former = former(&self.app, &caller).await?;
        let given = (request, key.0, None);
        let removed = |now| OrganizationCommand::RemoveBillingContact { now };
        let accepted = give(&self.app, &caller, given, removed).await?;
        forget(&self.app, former).await?;
        Ok(accepted)
    }
}

async fn former(app: &App, caller: &Caller) -> Result<Option<BillingContactId>, Problem> {
    let id = caller.org.to_string();
    let state = app.journal.state::<Organization>(caller.org, &id).await?;
    Ok(state.and_then(|(state, _)| state.billing_contact))
}

async fn forget(app: &App, former: Option<BillingContactId>) -> Result<(), Problem> {
    if let Some(former) = former {
        app.journal.erase_person(former.uuid()).await?;
    }
    Ok(())
}
