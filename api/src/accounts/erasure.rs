//! Erasing an account, and saying what became unreadable by it.

use std::collections::BTreeMap;

use domain::{
    event::catalogue,
    ids::UserId,
    users::{User, UserCommand, own_organization},
};
use journal::{Filter, MAX_PAGE};

use super::{
    caller::SignedIn,
    me::forget_session,
    model::{ErasureCertificate, UnreadableField},
};
use crate::{organizations::forget_member, problem::Problem, state::App};

/// What the log still says about an erased person.
const READABLE: [&str; 3] = [
    "the id of the account, and the times and kinds of its events",
    "HMACs of its addresses under a key of the installation, which nobody else can try addresses against",
    "hashes of refresh tokens, recovery codes and ids of passkeys, which were random",
];

pub(super) async fn erase(app: &App, caller: &SignedIn) -> Result<ErasureCertificate, Problem> {
    let user = caller.user;
    forget_member(app, &caller.client, user).await?;
    let erased_at = app.journal.clock().now();
    let context = caller.client.context(app, user);
    let command = UserCommand::Erase { now: erased_at };
    let committed = app.execute::<User>(context, user.to_string(), command).await?;
    app.journal.erase_person(user.uuid()).await?;
    forget_session(app, caller).await?;
    Ok(ErasureCertificate {
        user_id: user.to_string(),
        position: committed.position,
        key_destroyed: app.journal.is_erased(user.uuid()).await?,
        erased_at,
        unreadable: unreadable(app, user).await?,
        readable: READABLE.map(str::to_owned).to_vec(),
    })
}

/// Every value that was sealed under the key of the person, by event type and field.
async fn unreadable(app: &App, user: UserId) -> Result<Vec<UnreadableField>, Problem> {
    let filter = Filter {
        org: Some(own_organization(user)),
        event_types: catalogue()
            .map(|known| known.name.to_owned())
            .filter(|n| holds_personal(n))
            .collect(),
        ..Filter::default()
    };
    let mut found: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = app.journal.read(after, &filter, MAX_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for recorded in &page {
            for mut event in recorded.decode().map_err(|error| Problem::internal(&error))? {
                event.personal(&mut |field| {
                    if field.subject == user.uuid() {
                        *found.entry((recorded.event_type.clone(), field.name)).or_default() += 1;
                    }
                });
            }
        }
    }
    Ok(found
        .into_iter()
        .map(|((event_type, field), values)| UnreadableField {
            event_type,
            field: field.to_owned(),
            values,
        })
        .collect())
}

/// Those that are written with every refresh hold nothing personal, and are by far the most.
fn holds_personal(event_type: &str) -> bool {
    event_type != "session.refreshed"
}
