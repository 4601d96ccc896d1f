//! The front end of the binary when it is asked ten times what it can do, and when thousands of
//! clients are slow on purpose. What is measured is compared with what the same server did on the
//! same machine a moment before: a slow machine is no failure, a server that lets others suffer is.
//!
//! The clients of the load share the processors with the server, so how long they wait is mostly how
//! long they wait for each other; it is shown, and not held to. What is held to is what a client of a
//! process of its own sees beside them, and what the server's metric says.
//!
//! `MILLRACE_OVERLOAD_SECONDS` sets how long each load lasts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flood;
mod load;
mod polite;
mod server_side;
mod slow;
mod target;
mod times;
mod wire;
mod world;

use std::time::Duration;

use crate::{flood::Flood, polite::Polite, slow::Attack, world::World};

const TEST: &str = "overload_and_slow_clients_cost_others_nothing";
const SECONDS: u64 = 5;
/// Beside the bytes that the server may hold for slow clients: buffers of connections, caches, and
/// what the allocator keeps.
const MORE_MEMORY: u64 = 160 << 20;

#[test]
fn overload_and_slow_clients_cost_others_nothing() {
    match Flood::asked() {
        Some(flood) => flood.run(),
        None => test(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn test() {
    let seconds = std::env::var("MILLRACE_OVERLOAD_SECONDS").ok();
    let seconds = Duration::from_secs(seconds.map_or(SECONDS, |text| text.parse().unwrap()));
    let world = World::start().await;
    let alone = Polite::alone(&world).await;
    let at_rest = world.usage();
    println!("at rest: {at_rest}, alone {}", alone.times);

    let can = load::as_much_as_it_can(&world).await;
    println!("as much as it can: {can}");
    let too_much = load::ten_times(&world, &can, seconds).await;
    println!("ten times that: {too_much}");
    alone.assert_recovered(&world).await;
    println!("after that: {}", world.usage());
    too_much.assert_held(&can);

    for start in [Attack::heads, Attack::bodies, Attack::readers] {
        let slow = start(&world.target);
        slow.gathered().await;
        let meanwhile = Polite::for_a_while(&world, seconds).await;
        let Polite { times, refused } = &meanwhile;
        println!("{}: {times}, {refused} refused of others, {}", slow.name, slow.seen());
        meanwhile.assert_as_if(&alone, slow.name);
        slow.felt().await;
        drop(slow);
        alone.assert_recovered(&world).await;
        println!("after that: {}", world.usage());
    }

    let most = world.peak();
    println!("at most: {most}");
    assert!(most.memory < at_rest.memory + MORE_MEMORY, "{most}, {at_rest} at rest");
    assert!(most.files < at_rest.files + world::CONNECTIONS + 300, "{most}, {at_rest} at rest");
    let accepted = [&can, &too_much]
        .into_iter()
        .flat_map(|load| load.flood.accepted.iter().chain(&load.beside.accepted));
    world.assert_once_in_the_log(accepted.cloned().collect()).await;
}
