/// The parts as one byte string that no other parts give: each is preceded by its length.
pub fn bind(label: &str, parts: &[&str]) -> Vec<u8> {
    let mut bound = Vec::new();
    for part in std::iter::once(&label).chain(parts) {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_character_between_parts_changes_what_is_bound() {
        assert_ne!(bind("l", &["ab", "c"]), bind("l", &["a", "bc"]));
        assert_ne!(bind("l", &["ab"]), bind("l", &["ab", ""]));
        assert_ne!(bind("la", &["b"]), bind("l", &["ab"]));
    }
}
