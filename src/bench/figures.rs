//! Figures of several rounds, and how they are shown.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

/// What one round came to.
pub struct Sample {
    /// Of everything that was done, or of one part of it that `count` says the size of.
    pub times: Vec<Duration>,
    pub count: u64,
    pub elapsed: Duration,
}

impl Sample {
    /// Of work that is timed as a whole.
    pub fn whole(count: u64, elapsed: Duration) -> Self {
        Self { times: vec![elapsed], count, elapsed }
    }
}

/// The median over the rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub per_s: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
}

impl Figure {
    pub fn below(mut self, name: &str) -> Self {
        self.name = format!("{name}/{}", self.name);
        self
    }
}

/// Collects the rounds of several contestants, who take turns so that the same noise meets all.
#[derive(Default)]
pub struct Board {
    contestants: Vec<(String, Vec<Figure>)>,
}

impl Board {
    pub fn note(&mut self, name: &str, sample: Sample) {
        let figure = figure(name, sample);
        match self.contestants.iter_mut().find(|(known, _)| known == name) {
            Some((_, rounds)) => rounds.push(figure),
            None => self.contestants.push((name.to_owned(), vec![figure])),
        }
    }

    pub fn figures(self) -> Vec<Figure> {
        self.contestants.into_iter().map(|(name, rounds)| over(name, &rounds)).collect()
    }
}

fn figure(name: &str, mut sample: Sample) -> Figure {
    sample.times.sort_unstable();
    let at = |percent: usize| {
        let rank = (sample.times.len() * percent).div_ceil(100).saturating_sub(1);
        sample.times.get(rank).map_or(0.0, |time| rounded(time.as_secs_f64() * 1000.0))
    };
    Figure {
        name: name.to_owned(),
        per_s: rounded(sample.count as f64 / sample.elapsed.as_secs_f64().max(1e-9)),
        p50_ms: at(50),
        p95_ms: at(95),
        p99_ms: at(99),
    }
}

fn over(name: String, rounds: &[Figure]) -> Figure {
    let median = |of: fn(&Figure) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.get((values.len() - 1) / 2), values.get(values.len() / 2));
        rounded((low.unwrap_or(&0.0) + high.unwrap_or(&0.0)) / 2.0)
    };
    Figure {
        name,
        per_s: median(|round| round.per_s),
        p50_ms: median(|round| round.p50_ms),
        p95_ms: median(|round| round.p95_ms),
        p99_ms: median(|round| round.p99_ms),
    }
}

/// More than microseconds is not measured.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub fn json(figures: &[Figure]) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Results<'a> {
        results: &'a [Figure],
    }
    serde_json::to_string(&Results { results: figures })
}

pub fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:28} {:>12} {:>9} {:>9} {:>9}\n", "", "per s", "p50 ms", "p95 ms", "p99 ms");
    for Figure { name, per_s, p50_ms, p95_ms, p99_ms } in figures {
        let _ = writeln!(text, "{name:28} {per_s:>12.0} {p50_ms:>9.2} {p95_ms:>9.2} {p99_ms:>9.2}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_of_its_rounds_in_their_first_order() {
        let mut board = Board::default();
        for seconds in [4, 1, 2] {
            board.note("slow", Sample::whole(100, Duration::from_secs(seconds)));
            board.note("quick", Sample::whole(1000, Duration::from_secs(seconds)));
        }
        let figures = board.figures();
        assert_eq!(figures[0].name, "slow");
        assert_eq!((figures[0].per_s, figures[0].p50_ms), (50.0, 2000.0));
        assert_eq!(figures[1].per_s, 500.0);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let figure = figure("x", Sample { times, count: 200, elapsed: Duration::from_secs(1) });
        assert_eq!((figure.p50_ms, figure.p95_ms, figure.p99_ms), (100.0, 190.0, 198.0));
    }

    #[test]
    fn the_document_has_the_fields_that_tools_read() {
        let figure = figure("raw", Sample::whole(3, Duration::from_secs(1)));
        assert_eq!(
            json(&[figure]).unwrap(),
            r#"{"results":[{"name":"raw","per_s":3.0,"p50_ms":1000.0,"p95_ms":1000.0,"p99_ms":1000.0}]}"#
        );
    }
}
