-- Keys, wrapped under a master key that the database never holds.

-- The key of each person, under which what tells about them is sealed. It is destroyed when the person
-- is erased; the row stays, so that no new key is ever made for them.
CREATE TABLE subject_keys (
    subject uuid PRIMARY KEY,
    wrapped_key bytea,
    created_at timestamptz NOT NULL,
    erased_at timestamptz,
    CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL))
);

-- The secret from which the keys of blind indices, of links in mails and of the rest come.
CREATE TABLE installation_secret (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    wrapped_key bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- Further secrets of the installation, each sealed under a key of its own that comes from the one above.
CREATE TABLE installation_values (
    name text PRIMARY KEY,
    sealed text NOT NULL,
    created_at timestamptz NOT NULL
);
