//! An address, or a range of them, that the front door turns away.
//!
//! `blocked` once, for a while or until it is `lifted`. It is the installation's own business: its
//! organisation is [`PLATFORM`](crate::ids::PLATFORM).

mod event;

use serde::{Deserialize, Serialize};

pub use event::{AddressBlockEvent, EVENT_TYPES};

use crate::{
    Decide, Decision, Timestamp,
    reason::{MAX_REASON_CHARS, is_reason},
};

pub const TYPE: &str = "address_block";

/// Of a network in its shortest form.
const MAX_NETWORK_BYTES: usize = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBlock {
    pub blocked: bool,
    pub lifted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressBlockCommand {
    /// Whether the network is one is known to whoever gives the command.
    Block {
        network: String,
        reason: String,
        until: Option<Timestamp>,
        now: Timestamp,
    },
    Lift {
        now: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressBlockError {
    #[error("there is no such block")]
    NotFound,
    #[error("a block with this id exists already")]
    Exists,
    #[error("a network is written in at most {MAX_NETWORK_BYTES} bytes")]
    Network,
    #[error("a reason has 1 to {MAX_REASON_CHARS} characters, none of them a control character")]
    Reason,
    #[error("a block ends in the future")]
    End,
}

impl Decide for AddressBlock {
    const STATE_VERSION: u32 = 1;

    fn decide(
        &self,
        command: AddressBlockCommand,
    ) -> Result<Decision<AddressBlockEvent>, AddressBlockError> {
        match command {
            AddressBlockCommand::Block { .. } if self.blocked => Err(AddressBlockError::Exists),
            AddressBlockCommand::Block { network, reason, until, now } => {
                if network.len() > MAX_NETWORK_BYTES {
                    return Err(AddressBlockError::Network);
                }
                if !is_reason(&reason) {
                    return Err(AddressBlockError::Reason);
                }
                if until.is_some_and(|until| until <= now) {
                    return Err(AddressBlockError::End);
                }
                let blocked =
                    AddressBlockEvent::Blocked { network, reason, until, blocked_at: now };
                Ok(Decision::one(blocked))
            }
            AddressBlockCommand::Lift { .. } if !self.blocked => Err(AddressBlockError::NotFound),
            AddressBlockCommand::Lift { .. } if self.lifted => Ok(Decision::AlreadyApplied),
            AddressBlockCommand::Lift { now } => {
                Ok(Decision::one(AddressBlockEvent::Lifted { lifted_at: now }))
            }
        }
    }

    fn evolve(&mut self, event: &AddressBlockEvent) {
        match event {
            AddressBlockEvent::Blocked { .. } => self.blocked = true,
            AddressBlockEvent::Lifted { .. } => self.lifted = true,
        }
    }
}

crate::aggregate!(
    AddressBlock,
    "address_block",
    AddressBlockCommand,
    AddressBlockEvent,
    AddressBlockError
);
