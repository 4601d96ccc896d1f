use std::fmt::Write;

use super::Code;

/// Where the page is served; the `type` of every problem points into it.
pub const PATH: &str = "/docs/problems";

/// The page that explains every code.
pub(crate) fn page() -> String {
    let mut rows = String::new();
    for code in Code::ALL {
        let _ = write!(
            rows,
            "<dt id=\"{0}\"><code>{0}</code> ({1})</dt>\n<dd>{2}. {3}</dd>\n",
            code.as_str(),
            code.status().as_u16(),
            code.title(),
            code.remedy(),
        );
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <title>Problems</title>\n<h1>Problems</h1>\n\
         <p>Every error is an <code>application/problem+json</code> document (RFC 9457). \
         Its <code>code</code> is one of these.</p>\n<dl>\n{rows}</dl>\n</html>\n"
    )
}
