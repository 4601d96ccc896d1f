use std::time::Duration;

/// Delays that double with every try, up to a bound, with the upper half left to chance so that
/// what failed together does not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Backoff {
    /// `tries` counts from 1; `chance` is from 0 to 1.
    pub fn delay(&self, tries: u32, chance: f64) -> Duration {
        let doublings = tries.saturating_sub(1).min(20);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_bound_and_vary_by_half() {
        let backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(10) };
        let longest = |tries| backoff.delay(tries, 1.0).as_secs_f64();
        assert_eq!([1, 2, 3, 4, 400].map(longest), [2.0, 4.0, 8.0, 10.0, 10.0]);
        assert_eq!(backoff.delay(1, 0.0), Duration::from_secs(1));
        assert_eq!(backoff.delay(1, f64::INFINITY), Duration::from_secs(2));
    }
}
