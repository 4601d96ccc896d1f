use std::fmt;

/// In the name of an issuer that serves many tenants, where each token names its own.
const TENANT: &str = "{tenantid}";
/// What stands in its place where all tenants are meant.
const ALL_TENANTS: &str = "common";

/// An issuer as it is configured. `https://login.microsoftonline.com/{tenantid}/v2.0` stands for one that
/// signs for many tenants, whose tokens say which in `tid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn has_tenants(&self) -> bool {
        self.0.contains(TENANT)
    }

    /// Where it says of itself what it is.
    pub fn discovery_url(&self) -> String {
        let name = self.0.replace(TENANT, ALL_TENANTS);
        format!("{}/.well-known/openid-configuration", name.trim_end_matches('/'))
    }

    /// Whether a token that names this issuer and this tenant is from it, to the letter.
    pub fn is(&self, name: &str, tenant: Option<&str>) -> bool {
        match (self.0.split_once(TENANT), tenant) {
            (None, _) => self.0 == name,
            (Some((before, after)), Some(tenant)) => {
                is_tenant(tenant) && name == format!("{before}{tenant}{after}")
            }
            (Some(_), None) => false,
        }
    }

    /// Whether a token that names this issuer could be from it.
    pub fn may_be(&self, name: &str) -> bool {
        match self.0.split_once(TENANT) {
            None => self.0 == name,
            Some((before, after)) => name
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(is_tenant),
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_tenant(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_itself_to_the_letter() {
        let issuer = Issuer::new("https://id.example/realm/");
        assert!(issuer.is("https://id.example/realm/", None));
        assert!(issuer.may_be("https://id.example/realm/"));
        for other in ["https://id.example/realm", "https://ID.example/realm/", ""] {
            assert!(!issuer.is(other, None) && !issuer.may_be(other), "{other}");
        }
        let document = "https://id.example/realm/.well-known/openid-configuration";
        assert_eq!(issuer.discovery_url(), document);
    }

    #[test]
    fn an_issuer_of_many_tenants_is_that_of_the_tenant_in_the_token() {
        let issuer = Issuer::new("https://login.example/{tenantid}/v2.0");
        assert!(issuer.is("https://login.example/9188040d-6c67/v2.0", Some("9188040d-6c67")));
        assert!(issuer.may_be("https://login.example/9188040d-6c67/v2.0"));
        for (name, tenant) in [
            ("https://login.example/9188040d-6c67/v2.0", Some("other")),
            ("https://login.example/9188040d-6c67/v2.0", None),
            ("https://login.example/{tenantid}/v2.0", Some("{tenantid}")),
            ("https://login.example//v2.0", Some("")),
            ("https://login.example/a/b/v2.0", Some("a/b")),
        ] {
            assert!(!issuer.is(name, tenant), "{name} {tenant:?}");
        }
        let document = "https://login.example/common/v2.0/.well-known/openid-configuration";
        assert_eq!(issuer.discovery_url(), document);
    }
}
