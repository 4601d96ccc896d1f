//! The score of a vector of the Common Vulnerability Scoring System.

use cvss::{Cvss, v3};

/// From 0.0 to 10.0: of versions 3.0 and 3.1 the base score, of version 4.0 the score with what the
/// vector says of threat and environment. None when the vector is of another version, incomplete or
/// malformed.
pub fn score(vector: &str) -> Option<f64> {
    let vector: Cvss = vector.parse().ok()?;
    // Of version 4.0 the parser asks for all that it needs, of the older ones it does not.
    let sound = match &vector {
        Cvss::CvssV30(vector) | Cvss::CvssV31(vector) => has_whole_base(vector),
        _ => true,
    };
    sound.then(|| vector.score())
}

fn has_whole_base(vector: &v3::Vector) -> bool {
    use v3::MetricType::{A, AC, AV, C, I, PR, S, UI};
    [AV, AC, PR, UI, S, C, I, A]
        .into_iter()
        .all(|wanted| vector.metrics().any(|(metric, _)| metric == wanted))
}
