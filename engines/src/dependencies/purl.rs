use std::fmt::Write as _;

use crate::advisories::Ecosystem;

/// The package URL of a version of a package.
pub fn purl(ecosystem: Ecosystem, name: &str, version: &str) -> String {
    format!("{}@{}", without_version(ecosystem, name), encoded(version))
}

/// The package URL that all versions have in common.
pub fn without_version(ecosystem: Ecosystem, name: &str) -> String {
    let (kind, name) = match ecosystem {
        Ecosystem::CratesIo => ("cargo", name.to_owned()),
        // Go's package URLs are in lower case although its modules are not.
        Ecosystem::Go => ("golang", name.to_lowercase()),
        Ecosystem::Npm => ("npm", name.to_lowercase()),
        Ecosystem::PyPI => ("pypi", ecosystem.normalized(name).into_owned()),
    };
    let parts: Vec<_> = name.split('/').filter(|part| !part.is_empty()).map(encoded).collect();
    format!("pkg:{kind}/{}", parts.join("/"))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
