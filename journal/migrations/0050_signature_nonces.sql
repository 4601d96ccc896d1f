-- Nonces of signed requests (RFC 9421), for as long as their signatures would hold. Replicas share it, so
-- that a request that was taken by one is refused by the others.

CREATE TABLE signature_nonces (
    key_id uuid NOT NULL,
    nonce_hash bytea NOT NULL,
    kept_until timestamptz NOT NULL,
    PRIMARY KEY (key_id, nonce_hash)
);
CREATE INDEX signature_nonces_by_end ON signature_nonces (kept_until);
