//! Why an operator did something, in their words.

pub(crate) const MAX_REASON_CHARS: usize = 500;

pub(crate) fn is_reason(text: &str) -> bool {
    (1..=MAX_REASON_CHARS).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && !text.trim().is_empty()
}
