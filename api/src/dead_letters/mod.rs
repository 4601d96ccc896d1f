//! Events that a view could not apply: seen by the organisation they belong to, replayed and
//! discarded by whoever runs the installation.
//!
//! Replaying holds up the view for everybody while it applies, and discarding leaves a hole in it
//! for good, so both need a key of the platform.

mod error;
mod model;

use poem_openapi::{
    OpenApi,
    param::{Path, Query},
};
use projections::dead_letters::{self, LetterId, Replayed};

use crate::{
    auth::{Caller, PlatformCaller},
    document::Tag,
    done::Done,
    ids::parse_id,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};
use model::{LetterDetail, LetterPage, LetterView, ReplayView};

const COLLECTION: &str = "/v1/dead-letters";

pub(crate) struct DeadLetters {
    pub app: App,
}

#[OpenApi(tag = "Tag::DeadLetters")]
impl DeadLetters {
    /// List dead letters
    ///
    /// By position: those of the organisation, and with a key of the platform those of all.
    #[oai(path = "/v1/dead-letters", method = "get", operation_id = "list_dead_letters")]
    async fn list(
        &self,
        caller: Caller,
        /// Name of a view.
        projection: Query<Option<String>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<LetterPage>, Problem> {
        let projection = projection.0.as_deref().map(known).transpose()?;
        let views = projections::versions().map(|(name, _)| name);
        let views = views.filter(|name| projection.is_none_or(|wanted| wanted == *name));
        let position = fresh.reached(&self.app, views).await?;
        let slice = slice(&limit, &cursor);
        let pool = self.app.journal.pool();
        let page = dead_letters::list(caller.reach(), pool, projection, slice).await?;
        let dead_letters = page.items.into_iter().map(LetterView::from).collect();
        Ok(Read::new(LetterPage { dead_letters, next_cursor: page.next_cursor }, position))
    }

    /// Read a dead letter
    ///
    /// With the event, when it is one of the organisation of the key.
    #[oai(path = "/v1/dead-letters/:id", method = "get", operation_id = "get_dead_letter")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<LetterDetail>, Problem> {
        let id: LetterId = parse_id(&id.0)?;
        let view = projections::versions().map(|(name, _)| name);
        let position = fresh.reached(&self.app, view.filter(|name| *name == id.projection)).await?;
        let (letter, event) = dead_letters::show(caller.reach(), &self.app.journal, &id).await?;
        let event = (event.org == caller.org).then_some(&event);
        Ok(Read::new(LetterDetail::new(letter, event), position))
    }

    /// Replay a dead letter
    ///
    /// Applies the waiting events of its resource in order, in every build that misses them, until
    /// one fails again.
    #[oai(
        path = "/v1/dead-letters/:id/replay",
        method = "post",
        operation_id = "replay_dead_letter"
    )]
    async fn replay(
        &self,
        caller: PlatformCaller,
        id: Path<String>,
    ) -> Result<Done<ReplayView>, Problem> {
        let id: LetterId = parse_id(&id.0)?;
        let (journal, letter) = (self.app.journal.clone(), id.clone());
        let replay = async move { dead_letters::replay(&journal, &letter).await };
        let replayed = caller.carry_out("replay_dead_letter", &id.to_string(), replay).await?;
        Ok(done(&id, replayed))
    }

    /// Discard a dead letter
    ///
    /// The view goes on without the event for ever; those that wait behind it are applied. Only the
    /// first event of its resource that waits can be discarded.
    #[oai(
        path = "/v1/dead-letters/:id/discard",
        method = "post",
        operation_id = "discard_dead_letter"
    )]
    async fn discard(
        &self,
        caller: PlatformCaller,
        id: Path<String>,
    ) -> Result<Done<ReplayView>, Problem> {
        let id: LetterId = parse_id(&id.0)?;
        let (journal, letter) = (self.app.journal.clone(), id.clone());
        let discard = async move { dead_letters::discard(&journal, &letter).await };
        let replayed = caller.carry_out("discard_dead_letter", &id.to_string(), discard).await?;
        Ok(done(&id, replayed))
    }
}

fn done(id: &LetterId, replayed: Vec<Replayed>) -> Done<ReplayView> {
    Done::new(ReplayView::new(id, replayed), format!("{COLLECTION}/{id}"))
}

fn known(name: &str) -> Result<&'static str, Problem> {
    let found = projections::versions().find(|(known, _)| *known == name);
    found.map(|(name, _)| name).ok_or_else(|| {
        let names: Vec<_> = projections::versions().map(|(name, _)| name).collect();
        Problem::parameter("projection", format!("it must be one of {}", names.join(", ")))
    })
}
