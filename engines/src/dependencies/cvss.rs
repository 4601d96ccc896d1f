//! The base score of a vector of the Common Vulnerability Scoring System 3.0 or 3.1.

/// From 0.0 to 10.0; none when the vector is of another version, incomplete or malformed.
pub fn base_score(vector: &str) -> Option<f64> {
    let metrics = vector.strip_prefix("CVSS:3.1/").or_else(|| vector.strip_prefix("CVSS:3.0/"))?;
    let get = |name: &str| {
        let mut values = metrics.split('/').filter_map(|part| part.split_once(':'));
        values.find(|(metric, _)| *metric == name).map(|(_, value)| value)
    };
    let changed = match get("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let exploitability = 8.22
        * attack_vector(get("AV")?)?
        * attack_complexity(get("AC")?)?
        * privileges_required(get("PR")?, changed)?
        * user_interaction(get("UI")?)?;
    let unharmed = (1.0 - harm(get("C")?)?) * (1.0 - harm(get("I")?)?) * (1.0 - harm(get("A")?)?);
    let sub_score = 1.0 - unharmed;
    let impact = if changed {
        7.52 * (sub_score - 0.029) - 3.25 * (sub_score - 0.02).powi(15)
    } else {
        6.42 * sub_score
    };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let factor = if changed { 1.08 } else { 1.0 };
    Some(round_up((factor * (impact + exploitability)).min(10.0)))
}

fn attack_vector(value: &str) -> Option<f64> {
    weight(value, &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])
}

fn attack_complexity(value: &str) -> Option<f64> {
    weight(value, &[("L", 0.77), ("H", 0.44)])
}

fn privileges_required(value: &str, changed: bool) -> Option<f64> {
    if changed {
        weight(value, &[("N", 0.85), ("L", 0.68), ("H", 0.5)])
    } else {
        weight(value, &[("N", 0.85), ("L", 0.62), ("H", 0.27)])
    }
}

fn user_interaction(value: &str) -> Option<f64> {
    weight(value, &[("N", 0.85), ("R", 0.62)])
}

/// To confidentiality, integrity or availability.
fn harm(value: &str) -> Option<f64> {
    weight(value, &[("H", 0.56), ("L", 0.22), ("N", 0.0)])
}

fn weight(value: &str, weights: &[(&str, f64)]) -> Option<f64> {
    weights.iter().find(|(name, _)| *name == value).map(|(_, weight)| *weight)
}

/// To one decimal, in whole numbers first so that 4.02 and 4.000000000000001 round differently.
fn round_up(score: f64) -> f64 {
    let scaled = (score * 100_000.0).round() as u64;
    if scaled.is_multiple_of(10_000) {
        scaled as f64 / 100_000.0
    } else {
        (scaled / 10_000 + 1) as f64 / 10.0
    }
}
