use crate::hidden::is_hidden;

/// Makes a line of git fit to be shown: the other side wrote part of it.
pub(super) fn clean(line: &str) -> String {
    let visible: String = line.chars().filter(|char| !is_hidden(*char)).collect();
    mask(&visible)
}

/// Hides what stands between `://` and `@` of an address.
fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        masked.push_str(before);
        masked.push_str("://");
        let end = after.find(|char: char| char.is_whitespace() || "/'\"?#".contains(char));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                masked.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn credentials_and_control_characters_do_not_show() {
        let line =
            "\u{1b}[31mfatal: 'https://me:password@host/a' \u{202e}http://x@y and http://plain/a@b";
        let clean = clean(line);
        assert_eq!(clean, "[31mfatal: 'https://***@host/a' http://***@y and http://plain/a@b");
    }
}
