//! Comma-separated values (RFC 4180) that are safe to open in a spreadsheet.

pub(crate) const CONTENT_TYPE: &str = "text/csv; charset=utf-8; header=present";

pub(crate) fn row<const N: usize>(cells: [String; N]) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).join(",");
    line.push_str("\r\n");
    line
}

/// Quoted as RFC 4180 wants it, without the controls that readers choke on. A cell that a spreadsheet
/// would run as a formula gets an apostrophe in front, which makes it text.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    let shown = |c: char| if c.is_control() && !"\t\r\n".contains(c) { '\u{fffd}' } else { c };
    let text: String = cell.chars().map(shown).collect();
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_breaks_its_row() {
        assert_eq!(quoted("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for start in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert!(quoted(start).starts_with("\"'"), "{start:?}");
        }
        assert_eq!(quoted("a \"b\", c\r\nd"), "\"a \"\"b\"\", c\r\nd\"");
    }
}
