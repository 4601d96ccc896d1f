use std::{collections::BTreeMap, fmt, time::Duration};

use crate::world::World;

/// What the server's own metrics say, which know nothing of the client's processor.
pub struct ServerSide {
    /// How long requests waited to be heard, while there was no room.
    heard: Buckets,
    /// How long accepted commands took once they were heard.
    accepted: Buckets,
}

/// How many took no longer than so many microseconds.
struct Buckets(BTreeMap<u64, u64>);

impl ServerSide {
    pub async fn read(world: &World) -> Self {
        let answer = world.target.wire().ask(&world.target.head("GET /metrics", "\r\n")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = &answer.body;
        Self {
            heard: Buckets::of(page, "http_heard_after_seconds", ""),
            accepted: Buckets::of(page, "http_request_duration_seconds", r#"status="202""#),
        }
    }

    pub fn since(self, before: &Self) -> Self {
        Self {
            heard: self.heard.since(&before.heard),
            accepted: self.accepted.since(&before.accepted),
        }
    }

    pub fn accepted_p95(&self) -> Duration {
        self.accepted.p95()
    }
}

impl Buckets {
    fn of(page: &str, name: &str, label: &str) -> Self {
        let mut all = BTreeMap::new();
        let buckets = page.lines().filter_map(|line| {
            line.strip_prefix(name)?.strip_prefix("_bucket{")?.rsplit_once("} ")
        });
        for (labels, count) in buckets.filter(|(labels, _)| labels.contains(label)) {
            let (_, most) = labels.rsplit_once(r#"le=""#).unwrap();
            let most = most.trim_end_matches('"').parse::<f64>().unwrap();
            all.insert((most * 1e6) as u64, count.parse().unwrap());
        }
        Self(all)
    }

    fn since(mut self, before: &Self) -> Self {
        for (most, count) in &mut self.0 {
            *count -= before.0.get(most).copied().unwrap_or(0);
        }
        self
    }

    fn count(&self) -> u64 {
        self.0.values().max().copied().unwrap_or(0)
    }

    /// As exact as the buckets: 95 in a hundred took no longer.
    fn p95(&self) -> Duration {
        let enough = |(_, count): &(&u64, &u64)| **count * 100 >= self.count() * 95;
        let most = self.0.iter().find(enough).map_or(0, |(most, _)| *most);
        Duration::from_micros(most)
    }
}

impl fmt::Display for ServerSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heard, accepted } = self;
        write!(f, "{} accepted (p95 within {:.1?}), ", accepted.count(), accepted.p95())?;
        write!(f, "{} waited to be heard (p95 within {:.1?})", heard.count(), heard.p95())
    }
}
