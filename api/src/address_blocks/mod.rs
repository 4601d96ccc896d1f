//! Addresses that are turned away before anything of a request is looked at: for operators.

mod door;
mod error;
mod model;
mod networks;

use std::time::Duration;

use domain::{
    address_blocks::{AddressBlock, AddressBlockCommand},
    ids::AddressBlockId,
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::address_blocks;

use crate::{
    auth::PlatformCaller,
    command::{Accepted, Input, Terms},
    document::Tag,
    ids::parse_id,
    problem::{Code, Problem},
    read::{Freshness, Read, slice},
    state::App,
};
pub(crate) use door::{Door, keep_door};
use model::{BlockPage, BlockRequest, BlockView};

const COLLECTION: &str = "/v1/admin/address-blocks";

pub(crate) struct AddressBlocks {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl AddressBlocks {
    /// Block an address or a range
    ///
    /// Every replica turns requests from there away within a second. The address that this request
    /// comes from cannot be blocked.
    #[oai(path = "/v1/admin/address-blocks", method = "post", operation_id = "block_address")]
    async fn block(
        &self,
        caller: PlatformCaller,
        request: &Request,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<BlockRequest>,
    ) -> Result<Accepted, Problem> {
        let caller = caller.for_platform();
        let terms = Terms::new(request, key.0, None);
        let context = terms.context(&self.app, &caller, Some(&body.raw))?;
        let BlockRequest { network, reason, until } = body.value;
        let at_network =
            |text: &str| Problem::new(Code::ValidationFailed, text).at("network", text);
        let network = networks::parse(&network)
            .ok_or_else(|| at_network("a network is written as 203.0.113.7 or 203.0.113.0/24"))?;
        if caller.scope.address.is_some_and(|own| network.contains(&own)) {
            return Err(at_network(
                "this request comes from there: whoever blocks would be kept out",
            ));
        }
        self.check_room().await?;
        let clock = self.app.journal.clock();
        let id = AddressBlockId::from_uuid(clock.new_id()).to_string();
        let (network, now) = (network.to_string(), clock.now());
        let command = AddressBlockCommand::Block { network, reason, until, now };
        let committed = self.app.execute::<AddressBlock>(context, id, command).await?;
        Ok(Accepted::new(committed, COLLECTION))
    }

    /// List the blocks
    ///
    /// Newest first, with those that have ended.
    #[oai(path = "/v1/admin/address-blocks", method = "get", operation_id = "list_address_blocks")]
    async fn list(
        &self,
        _caller: PlatformCaller,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<BlockPage>, Problem> {
        let view = fresh.open(&self.app, address_blocks::NAME).await?;
        let slice = slice(&limit, &cursor);
        let page = address_blocks::list(&view, slice).await?;
        let now = self.app.journal.clock().now();
        let address_blocks = page.items.into_iter().map(|row| BlockView::new(row, now)).collect();
        let page = BlockPage { address_blocks, next_cursor: page.next_cursor };
        Ok(Read::new(page, view.position()))
    }

    /// Read a block
    #[oai(
        path = "/v1/admin/address-blocks/:id",
        method = "get",
        operation_id = "get_address_block"
    )]
    async fn get(
        &self,
        _caller: PlatformCaller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<BlockView>, Problem> {
        let view = fresh.open(&self.app, address_blocks::NAME).await?;
        let row =
            address_blocks::get(&view, parse_id(&id.0)?).await?.ok_or_else(Problem::not_found)?;
        Ok(Read::new(BlockView::new(row, self.app.journal.clock().now()), view.position()))
    }

    /// Lift a block
    ///
    /// Every replica takes requests from there again within a second.
    #[oai(
        path = "/v1/admin/address-blocks/:id",
        method = "delete",
        operation_id = "unblock_address"
    )]
    async fn lift(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let id = parse_id::<AddressBlockId>(&id.0)?.to_string();
        let caller = caller.for_platform();
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let command = AddressBlockCommand::Lift { now: self.app.journal.clock().now() };
        let committed = self.app.execute::<AddressBlock>(context, id, command).await?;
        Ok(Accepted::new(committed, COLLECTION))
    }

    /// The door looks at no more than so many.
    async fn check_room(&self) -> Result<(), Problem> {
        let view = self.app.views.open(address_blocks::NAME, None, Duration::ZERO).await?;
        let now = self.app.journal.clock().now();
        let blocked = address_blocks::in_force(&view, now, door::MAX_BLOCKS).await?;
        if blocked.len() < door::MAX_BLOCKS as usize {
            return Ok(());
        }
        let detail = format!("at most {} blocks can be in force at once", door::MAX_BLOCKS);
        Err(Problem::new(Code::Conflict, detail))
    }
}
