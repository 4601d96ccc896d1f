use std::sync::atomic::{AtomicU64, Ordering};

use super::Quota;

/// However much is told, nobody is kept out for longer than a week.
const MAX_DEBT: u64 = 7 * Quota::MAX_WINDOW.as_nanos() as u64;

/// A quota in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// In which one token comes back.
    pub interval: u64,
    /// In which an empty bucket fills.
    pub depth: u64,
}

impl From<Quota> for Rate {
    fn from(quota: Quota) -> Self {
        let window = quota.window.min(Quota::MAX_WINDOW).as_nanos() as u64;
        let interval = (window / u64::from(quota.limit.max(1))).max(1);
        let burst = u64::from(quota.burst.max(1));
        Self { interval, depth: interval.saturating_mul(burst).min(MAX_DEBT) }
    }
}

/// A token bucket as the generic cell rate algorithm keeps it: one point in time.
#[derive(Debug, Default)]
pub struct Bucket {
    /// When the bucket is full, in nanoseconds of [`super::Limits`]' own clock.
    full_at: AtomicU64,
    /// Of it what other replicas have not been told.
    untold: AtomicU64,
}

/// What a bucket says. All in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    pub taken: u64,
    /// Until as many tokens are there as were asked for; 0 when they were.
    pub wait: u64,
    /// Until the bucket is full.
    pub full_in: u64,
}

impl Bucket {
    /// Takes `cost` tokens or none.
    pub fn take(&self, now: u64, rate: Rate, cost: u32) -> Draw {
        let asked = rate.interval.saturating_mul(u64::from(cost));
        let after = |full_at: u64| full_at.max(now).saturating_add(asked);
        let fits = |full_at: &u64| full_at - now <= rate.depth;
        let step = |full_at| Some(after(full_at)).filter(fits);
        match self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(before) => Draw { taken: asked, wait: 0, full_in: after(before) - now },
            Err(before) => Draw {
                taken: 0,
                wait: after(before) - now - rate.depth,
                full_in: before.saturating_sub(now),
            },
        }
    }

    /// Takes what was let through elsewhere, whether it is there or not.
    pub fn add(&self, now: u64, taken: u64) {
        let most = now.saturating_add(MAX_DEBT);
        let step = |full_at: u64| Some(full_at.max(now).saturating_add(taken).min(most));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    }

    /// Notes what others have to be told; true for the first since they were.
    pub fn owe(&self, taken: u64) -> bool {
        self.untold.fetch_add(taken, Ordering::AcqRel) == 0
    }

    /// What others have to be told, which they now are.
    pub fn tell(&self) -> u64 {
        self.untold.swap(0, Ordering::AcqRel)
    }

    pub fn clear(&self) {
        self.full_at.store(0, Ordering::Relaxed);
        self.untold.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const TEN_A_MINUTE: Quota = Quota::new(10, Duration::from_secs(60), 3);

    #[test]
    fn a_burst_passes_at_once_and_then_one_by_one() {
        let (bucket, rate) = (Bucket::default(), Rate::from(TEN_A_MINUTE));
        let now = 100 * SECOND;
        for taken in 1..=3 {
            assert_eq!(bucket.take(now, rate, 1).full_in, taken * 6 * SECOND);
        }
        let refused = Draw { taken: 0, wait: 6 * SECOND, full_in: 18 * SECOND };
        assert_eq!(bucket.take(now, rate, 1), refused);
        assert_eq!(bucket.take(now + 6 * SECOND - 1, rate, 1).wait, 1);
        assert_eq!(bucket.take(now + 6 * SECOND, rate, 1).wait, 0);
        assert_eq!(bucket.take(now + 6 * SECOND, rate, 1).taken, 0);
    }

    #[test]
    fn what_is_told_counts_and_is_paid_back() {
        let (bucket, rate) = (Bucket::default(), Rate::from(TEN_A_MINUTE));
        bucket.add(0, 5 * rate.interval);
        assert_eq!(bucket.take(0, rate, 1).wait, 3 * rate.interval);
        bucket.add(0, u64::MAX);
        assert!(bucket.take(0, rate, 1).wait <= MAX_DEBT);
        assert_eq!(bucket.take(MAX_DEBT, rate, 3).wait, 0);
    }

    #[test]
    fn more_than_a_burst_is_never_there() {
        let rate = Rate::from(TEN_A_MINUTE);
        assert_eq!(Bucket::default().take(0, rate, 4).wait, rate.interval);
    }

    proptest! {
        #![proptest_config(testkit::cases(500))]

        #[test]
        fn no_window_lets_more_through_than_burst_and_rate(
            limit in 1..1000_u32,
            burst in 1..100_u32,
            window_s in 1..3600_u64,
            pauses in proptest::collection::vec(0..20 * SECOND, 1..200),
        ) {
            let rate = Rate::from(Quota::new(limit, Duration::from_secs(window_s), burst));
            let (bucket, mut now, mut passed) = (Bucket::default(), 0, Vec::new());
            for pause in pauses {
                now += pause;
                if bucket.take(now, rate, 1).taken > 0 {
                    passed.push(now);
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let earned = (to - from) / rate.interval;
                    prop_assert!((last - first + 1) as u64 <= earned + u64::from(burst));
                }
            }
        }
    }
}
