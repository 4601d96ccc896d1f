//! Blocks of addresses, as an operator makes and lifts them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta};
use cqrs_es::test::TestFramework;
use domain::{
    Decide, Timestamp,
    address_blocks::{AddressBlock, AddressBlockCommand, AddressBlockError, AddressBlockEvent},
};

fn now() -> Timestamp {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn block(reason: &str, until: Option<Timestamp>) -> AddressBlockCommand {
    let (network, reason) = ("203.0.113.0/24".to_owned(), reason.to_owned());
    AddressBlockCommand::Block { network, reason, until, now: now() }
}

fn blocked() -> AddressBlockEvent {
    AddressBlockEvent::Blocked {
        network: "203.0.113.0/24".to_owned(),
        reason: "a flood".to_owned(),
        until: None,
        blocked_at: now(),
    }
}

fn lifted() -> AddressBlockEvent {
    AddressBlockEvent::Lifted { lifted_at: now() }
}

#[test]
fn a_network_is_blocked_and_lifted_once() {
    let blocks = || TestFramework::<AddressBlock>::with(());
    blocks()
        .given_no_previous_events()
        .when(block("a flood", None))
        .then_expect_events(vec![blocked()]);
    let lift = AddressBlockCommand::Lift { now: now() };
    blocks().given(vec![blocked()]).when(lift.clone()).then_expect_events(vec![lifted()]);
    blocks().given(vec![blocked(), lifted()]).when(lift.clone()).then_expect_events(vec![]);
    blocks().given_no_previous_events().when(lift).then_expect_error(AddressBlockError::NotFound);
    blocks()
        .given(vec![blocked()])
        .when(block("again", None))
        .then_expect_error(AddressBlockError::Exists);
}

#[test]
fn a_block_has_a_reason_and_an_end_that_is_to_come() {
    let refused = |command| AddressBlock::default().decide(command).unwrap_err();
    for reason in ["", "  ", "a\nb", &"x".repeat(501)] {
        assert_eq!(refused(block(reason, None)), AddressBlockError::Reason);
    }
    assert_eq!(refused(block("a flood", Some(now()))), AddressBlockError::End);
    let later = now() + TimeDelta::hours(1);
    assert!(AddressBlock::default().decide(block("a flood", Some(later))).is_ok());
}
