//! A passkey in software, made from the standard and not from our code.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

const UP: u8 = 1;
const UV: u8 = 4;
const AT: u8 = 64;

pub struct Authenticator {
    key: Ed25519KeyPair,
    id: Vec<u8>,
    pub origin: &'static str,
    /// What the options of its making said about its owner.
    user_handle: String,
    pub verifies: bool,
    /// Whether it counts its uses.
    pub counts: bool,
    count: u32,
}

impl Authenticator {
    pub fn new(seed: u8) -> Self {
        Self {
            key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            id: vec![seed; 16],
            origin: "https://app.mill.example",
            user_handle: String::new(),
            verifies: true,
            counts: true,
            count: 1,
        }
    }

    /// What a browser answers to options for making a passkey.
    pub fn create(&mut self, options: &Value) -> Value {
        self.user_handle = options["user"]["id"].as_str().unwrap().to_owned();
        let mut data = self.data(AT);
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(&self.id);
        let entry = |label: i64, value: Cbor| (Cbor::from(label), value);
        let x = Cbor::Bytes(self.key.public_key().as_ref().to_vec());
        data.extend(cbor(&Cbor::Map(vec![
            entry(1, Cbor::from(1)),
            entry(3, Cbor::from(-8)),
            entry(-1, Cbor::from(6)),
            entry(-2, x),
        ])));
        let attestation = cbor(&Cbor::Map(vec![
            (Cbor::from("fmt"), Cbor::from("none")),
            (Cbor::from("attStmt"), Cbor::Map(Vec::new())),
            (Cbor::from("authData"), Cbor::Bytes(data)),
        ]));
        let client = self.client_data("webauthn.create", options);
        self.credential(json!({
            "clientDataJSON": encode(&client),
            "attestationObject": encode(&attestation),
        }))
    }

    /// What a browser answers to options for using a passkey.
    pub fn get(&mut self, options: &Value) -> Value {
        self.count += 1;
        let (data, client) = (self.data(0), self.client_data("webauthn.get", options));
        let signed = [data.clone(), sha256(&client)].concat();
        self.credential(json!({
            "clientDataJSON": encode(&client),
            "authenticatorData": encode(&data),
            "signature": encode(self.key.sign(&signed).as_ref()),
            "userHandle": self.user_handle,
        }))
    }

    fn credential(&self, response: Value) -> Value {
        let id = encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = &options["challenge"];
        let data = json!({
            "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = sha256(b"mill.example");
        data.push(UP | more | if self.verifies { UV } else { 0 });
        let count = if self.counts { self.count } else { 0 };
        data.extend(count.to_be_bytes());
        data
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}
