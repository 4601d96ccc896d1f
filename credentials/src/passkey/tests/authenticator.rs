//! An authenticator in software: real keys, real signatures, and every lie that a test asks for.

use ciborium::Value;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::json;

use crate::{
    jose::testing,
    passkey::{
        AuthenticationResponse, AuthenticatorAssertionResponse, AuthenticatorAttestationResponse,
        Base64Url, RegistrationResponse,
    },
};

pub enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    /// The RSA key of the tests of signatures.
    Rsa,
}

pub struct Authenticator {
    pub key: Key,
    pub id: Vec<u8>,
    pub rp_id: String,
    pub origin: String,
    pub flags: u8,
    pub sign_count: u32,
    pub user_handle: Option<Vec<u8>>,
    pub extra_client_data: serde_json::Value,
    /// Adds to the options `fmt` and `attStmt`; by default `none`.
    pub self_attestation: bool,
}

pub const UP: u8 = 1;
pub const UV: u8 = 4;
pub const BE: u8 = 8;
pub const BS: u8 = 16;
const AT: u8 = 64;
const ED: u8 = 128;

impl Authenticator {
    pub fn new(key: Key) -> Self {
        Self {
            key,
            id: vec![9; 16],
            rp_id: "mill.example".to_owned(),
            origin: "https://app.mill.example".to_owned(),
            flags: UP | UV,
            sign_count: 1,
            user_handle: Some(b"user_ada".to_vec()),
            extra_client_data: json!({}),
            self_attestation: false,
        }
    }

    pub fn p256() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::new(Key::P256(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap()))
    }

    pub fn ed25519() -> Self {
        Self::new(Key::Ed25519(testing::ed25519()))
    }

    pub fn rsa() -> Self {
        Self::new(Key::Rsa)
    }

    pub fn create(&self, challenge: &Base64Url) -> RegistrationResponse {
        let client_data = self.client_data("webauthn.create", challenge);
        let data = self.creation_data(&self.cose());
        let statement = if self.self_attestation {
            let signature = self.sign(&[data.clone(), sha256(&client_data)].concat());
            vec![pair("alg", self.algorithm()), pair("sig", Value::Bytes(signature))]
        } else {
            vec![]
        };
        let format = if self.self_attestation { "packed" } else { "none" };
        self.response(client_data, &attestation(format, statement, data))
    }

    pub fn response(&self, client_data: Vec<u8>, attestation: &Value) -> RegistrationResponse {
        RegistrationResponse {
            id: Base64Url(self.id.clone()).to_string(),
            raw_id: Base64Url(self.id.clone()),
            kind: "public-key".to_owned(),
            response: AuthenticatorAttestationResponse {
                client_data_json: Base64Url(client_data),
                attestation_object: Base64Url(cbor(attestation)),
                transports: vec![
                    "internal".to_owned(),
                    "hybrid".to_owned(),
                    "NOT A WORD".to_owned(),
                ],
            },
        }
    }

    pub fn get(&self, challenge: &Base64Url) -> AuthenticationResponse {
        let client_data = self.client_data("webauthn.get", challenge);
        let data = self.data(self.flags & !AT);
        let signature = self.sign(&[data.clone(), sha256(&client_data)].concat());
        AuthenticationResponse {
            id: Base64Url(self.id.clone()).to_string(),
            raw_id: Base64Url(self.id.clone()),
            kind: "public-key".to_owned(),
            response: AuthenticatorAssertionResponse {
                client_data_json: Base64Url(client_data),
                authenticator_data: Base64Url(data),
                signature: Base64Url(signature),
                user_handle: self.user_handle.clone().map(Base64Url),
            },
        }
    }

    pub fn client_data(&self, kind: &str, challenge: &Base64Url) -> Vec<u8> {
        let mut data = json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false });
        for (name, value) in self.extra_client_data.as_object().unwrap() {
            data[name] = value.clone();
        }
        data.to_string().into_bytes()
    }

    pub fn creation_data(&self, key: &Value) -> Vec<u8> {
        let mut data = self.data(self.flags | AT);
        data.extend([7; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(&self.id);
        data.extend(cbor(key));
        if self.flags & ED != 0 {
            data.extend(cbor(&Value::Map(vec![pair("credProtect", Value::from(2))])));
        }
        data
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = sha256(self.rp_id.as_bytes());
        data.push(flags);
        data.extend(self.sign_count.to_be_bytes());
        data
    }

    pub fn cose(&self) -> Value {
        let entry = |label: i64, value: Value| (Value::from(label), value);
        let alg = entry(3, self.algorithm());
        Value::Map(match &self.key {
            Key::Ed25519(pair) => vec![
                entry(1, Value::from(1)),
                alg,
                entry(-1, Value::from(6)),
                entry(-2, Value::Bytes(pair.public_key().as_ref().to_vec())),
            ],
            Key::P256(pair) => {
                let point = pair.public_key().as_ref();
                vec![
                    entry(1, Value::from(2)),
                    alg,
                    entry(-1, Value::from(1)),
                    entry(-2, Value::Bytes(point[1..33].to_vec())),
                    entry(-3, Value::Bytes(point[33..].to_vec())),
                ]
            }
            Key::Rsa => vec![
                entry(1, Value::from(3)),
                alg,
                entry(-1, Value::Bytes(testing::decode(testing::RSA_N))),
                entry(-2, Value::Bytes(vec![1, 0, 1])),
            ],
        })
    }

    fn algorithm(&self) -> Value {
        Value::from(match self.key {
            Key::Ed25519(_) => -8,
            Key::P256(_) => -7,
            Key::Rsa => -257,
        })
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Key::P256(pair) => testing::sign_p256(pair, message),
            Key::Rsa => testing::sign_rs256(message),
        }
    }
}

pub fn attestation(format: &str, statement: Vec<(Value, Value)>, data: Vec<u8>) -> Value {
    Value::Map(vec![
        pair("fmt", Value::from(format)),
        pair("attStmt", Value::Map(statement)),
        pair("authData", Value::Bytes(data)),
    ])
}

pub fn pair(name: &str, value: Value) -> (Value, Value) {
    (Value::from(name), value)
}

pub fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}
