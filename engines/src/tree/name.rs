use std::fmt::Write as _;

/// The text for a file name that may be anything but a slash: what is no text, or would garble a
/// terminal, is shown as `\xNN`.
pub fn show(name: &[u8]) -> String {
    let mut shown = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                for byte in character.to_string().bytes() {
                    push_escaped(&mut shown, byte);
                }
            } else {
                shown.push(character);
            }
        }
        for byte in chunk.invalid() {
            push_escaped(&mut shown, *byte);
        }
    }
    shown
}

fn push_escaped(shown: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(shown, "\\x{byte:02x}");
}
