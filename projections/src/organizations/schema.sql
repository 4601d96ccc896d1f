CREATE TABLE organizations (
    org_id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL,
    logo_url text,
    -- Who is asked about invoices. The texts are sealed under the key of that person.
    billing_contact uuid,
    billing_email text,
    billing_name text,
    archived_at timestamptz,
    suspended_at timestamptz,
    suspension_reason text,
    created_at timestamptz NOT NULL,
    -- Of the event that made it; the order of the list.
    position bigint NOT NULL UNIQUE,
    -- Of the last event about its policies, 0 when there was none.
    policies_position bigint NOT NULL DEFAULT 0,
    -- Events there are of it.
    version bigint NOT NULL DEFAULT 0
);
CREATE INDEX organizations_by_slug ON organizations (slug);
CREATE INDEX organizations_by_name ON organizations (lower(name) text_pattern_ops);
CREATE INDEX organizations_suspended ON organizations (position) WHERE suspended_at IS NOT NULL;

-- People whose accounts are suspended: keys that they issued are refused.
CREATE TABLE suspended_users (
    user_id uuid PRIMARY KEY
);

CREATE TABLE members (
    org_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    -- Names of actions on top of the role.
    permissions jsonb NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id);

CREATE TABLE api_keys (
    key_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    name text NOT NULL,
    -- SHA-256 of the secret, in hexadecimal.
    secret_hash text NOT NULL UNIQUE,
    issued_at timestamptz NOT NULL,
    -- May do what concerns the whole installation.
    platform boolean NOT NULL,
    -- Names of actions.
    scopes jsonb NOT NULL,
    expires_at timestamptz,
    requests_per_minute integer,
    -- The member in whose place it acts; none for one that acts in the owner's.
    issuer uuid,
    -- The public half of the key that requests must be signed with.
    signing_key text,
    rotated_at timestamptz,
    -- Of the secret before the present one, which is taken until then.
    former_secret_hash text UNIQUE,
    former_valid_until timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_keys_of_organization ON api_keys (org_id, key_id);
CREATE INDEX api_keys_of_issuer ON api_keys (issuer) WHERE issuer IS NOT NULL;

CREATE TABLE policies (
    policy_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    -- JSON as it was written; as text it can hold every character.
    policy text NOT NULL,
    added_at timestamptz NOT NULL,
    changed_at timestamptz
);
CREATE INDEX policies_of_organization ON policies (org_id, policy_id);

-- Those that wait for an answer.
CREATE TABLE invitations (
    invitation_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    -- Sealed under the key of the invitation.
    email text NOT NULL,
    -- Of the address in the blind index.
    email_index text NOT NULL,
    role text NOT NULL,
    -- Names of actions on top of the role.
    permissions jsonb NOT NULL,
    -- None when a key in the owner's place made it.
    inviter uuid,
    invited_at timestamptz NOT NULL,
    mailed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_of_organization ON invitations (org_id, invitation_id);
CREATE INDEX invitations_of_address ON invitations (email_index);
CREATE INDEX invitations_by_end ON invitations (expires_at);
