use std::collections::BTreeSet;

use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parameters, Parser};

use super::SignatureError;

/// Bytes of the longest `Signature-Input`, `Signature` or `Content-Digest`.
pub const MAX_FIELD_BYTES: usize = 8 * 1024;
/// Parts of a request that one signature may cover.
pub const MAX_COMPONENTS: usize = 64;

/// The signature of a request, read and not yet verified.
#[derive(Debug, Clone)]
pub struct RequestSignature {
    /// By this the caller finds the key.
    pub keyid: String,
    /// Seconds since 1970.
    pub created: i64,
    pub expires: Option<i64>,
    pub nonce: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) components: Vec<String>,
    /// The value of `@signature-params`.
    pub(super) params: String,
    pub(super) signature: Vec<u8>,
}

impl RequestSignature {
    /// Whether a part of the request is signed.
    pub fn covers(&self, component: &str) -> bool {
        self.components.iter().any(|covered| covered == component)
    }

    /// Reads the fields `Signature-Input` and `Signature`.
    pub fn parse(input: &str, signature: &str) -> Result<Self, SignatureError> {
        let inputs = dictionary("Signature-Input", input)?;
        let signatures = dictionary("Signature", signature)?;
        if inputs.len() > 1 || signatures.len() > 1 {
            return Err(SignatureError::Several);
        }
        let (label, entry) = inputs.first().ok_or(SignatureError::Malformed("Signature-Input"))?;
        let ListEntry::InnerList(list) = entry else {
            return Err(SignatureError::Malformed("Signature-Input"));
        };
        let signature = match signatures.first() {
            Some((own, ListEntry::Item(item))) if own == label => item.bare_item.as_byte_sequence(),
            _ => None,
        };
        let signature = signature.ok_or(SignatureError::Malformed("Signature"))?;
        Ok(Self {
            keyid: text(&list.params, "keyid")?.ok_or(SignatureError::Missing("keyid"))?,
            created: integer(&list.params, "created")?.ok_or(SignatureError::Missing("created"))?,
            expires: integer(&list.params, "expires")?,
            nonce: text(&list.params, "nonce")?,
            algorithm: text(&list.params, "alg")?,
            components: components(list)?,
            params: serialized(entry)?,
            signature: signature.to_vec(),
        })
    }
}

pub(super) fn dictionary(name: &'static str, field: &str) -> Result<Dictionary, SignatureError> {
    if field.len() > MAX_FIELD_BYTES {
        return Err(SignatureError::Malformed(name));
    }
    Parser::new(field).parse().map_err(|_| SignatureError::Malformed(name))
}

/// Names alone: none of the parameters that a component may have is known here.
fn components(list: &InnerList) -> Result<Vec<String>, SignatureError> {
    const MALFORMED: SignatureError = SignatureError::Malformed("Signature-Input");
    if list.items.len() > MAX_COMPONENTS {
        return Err(MALFORMED);
    }
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for item in &list.items {
        let name = item.bare_item.as_string().ok_or(MALFORMED)?.as_str();
        if !item.params.is_empty() {
            return Err(SignatureError::Component(name.to_owned()));
        }
        if !seen.insert(name) {
            return Err(MALFORMED);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn serialized(entry: &ListEntry) -> Result<String, SignatureError> {
    let mut serializer = sfv::ListSerializer::new();
    serializer.members([entry]);
    serializer.finish().ok_or(SignatureError::Malformed("Signature-Input"))
}

fn parameter<'a>(params: &'a Parameters, name: &str) -> Option<&'a BareItem> {
    params.iter().find(|(key, _)| key.as_str() == name).map(|(_, value)| value)
}

fn text(params: &Parameters, name: &'static str) -> Result<Option<String>, SignatureError> {
    let Some(item) = parameter(params, name) else { return Ok(None) };
    let text = item.as_string().ok_or(SignatureError::Malformed("Signature-Input"))?;
    Ok(Some(text.as_str().to_owned()))
}

fn integer(params: &Parameters, name: &'static str) -> Result<Option<i64>, SignatureError> {
    let Some(item) = parameter(params, name) else { return Ok(None) };
    let integer = item.as_integer().ok_or(SignatureError::Malformed("Signature-Input"))?;
    Ok(Some(integer.into()))
}
