use super::{RequestSignature, SignatureError};

/// The parts of a request over which one may sign.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    pub method: &'a str,
    /// As the client sees it, which a proxy may have changed: `https`.
    pub scheme: &'a str,
    /// As the client sees it: `api.mill.example`, with the port if it is not the scheme's own.
    pub authority: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// Names and values in the order of the request.
    pub headers: &'a [(&'a str, &'a str)],
}

impl SignedRequest<'_> {
    /// The text over which is signed (section 2.5).
    pub(super) fn base(&self, signature: &RequestSignature) -> Result<String, SignatureError> {
        let mut base = String::new();
        for name in &signature.components {
            let value = self.component(name);
            let value = value.ok_or_else(|| SignatureError::Component(name.clone()))?;
            base.push_str(&format!("\"{name}\": {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {}", signature.params));
        Ok(base)
    }

    /// A derived component (section 2.2) or a header (section 2.1).
    fn component(&self, name: &str) -> Option<String> {
        if !name.starts_with('@') {
            return self.header(name);
        }
        match name {
            "@method" => Some(self.method.to_owned()),
            "@scheme" => Some(self.scheme.to_ascii_lowercase()),
            "@authority" => Some(self.host()),
            "@path" => Some(self.normal_path().to_owned()),
            "@query" => Some(format!("?{}", self.query.unwrap_or(""))),
            "@target-uri" => {
                let query = self.query.map_or_else(String::new, |query| format!("?{query}"));
                let scheme = self.scheme.to_ascii_lowercase();
                Some(format!("{scheme}://{}{}{query}", self.host(), self.normal_path()))
            }
            _ => None,
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let own = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let values: Vec<_> = own.map(|(_, value)| value.trim_matches([' ', '\t'])).collect();
        let one_line = values.iter().all(|value| !value.contains(['\r', '\n']));
        (!values.is_empty() && one_line).then(|| values.join(", "))
    }

    fn host(&self) -> String {
        let authority = self.authority.to_ascii_lowercase();
        let own_port = if self.scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        authority.strip_suffix(own_port).unwrap_or(&authority).to_owned()
    }

    fn normal_path(&self) -> &str {
        if self.path.is_empty() { "/" } else { self.path }
    }
}
