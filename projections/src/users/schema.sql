-- Personal columns hold what the events hold: texts that are sealed under the key of the person.
CREATE TABLE users (
    -- The person, who is the tenant of their own account.
    org_id uuid PRIMARY KEY,
    email text,
    name text,
    language text,
    time_zone text,
    email_verified boolean NOT NULL,
    signed_up_at timestamptz NOT NULL,
    suspended_at timestamptz,
    suspension_reason text,
    erased_at timestamptz
);
CREATE INDEX users_suspended ON users (org_id) WHERE suspended_at IS NOT NULL;
CREATE INDEX users_unverified ON users (org_id) WHERE NOT email_verified;
