use std::path::Path;

use millrace::schemas::{generate, outdated};

/// The event schemas and the AsyncAPI document with it.
#[test]
fn openapi_document_is_current() {
    let files = generate().unwrap();
    let outdated = outdated(Path::new("schemas"), &files).unwrap();
    assert!(outdated.is_empty(), "run `millrace schemas`: {outdated:?}");
}
