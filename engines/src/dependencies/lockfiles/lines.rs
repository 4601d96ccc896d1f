/// The lines of a text that are exactly `wanted`, counted from 1. The nth of the headers
/// `[[package]]` belongs to the nth package that a TOML reader gives.
pub fn numbers_of(text: &str, wanted: &str) -> Vec<u32> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.trim_end() == wanted)
        .map(|(number, _)| number)
        .collect()
}
