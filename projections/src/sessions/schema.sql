-- Personal columns hold what the events hold: texts that are sealed under the key of the person.
CREATE TABLE sessions (
    -- The person, who is the tenant of their own account.
    org_id uuid NOT NULL,
    session_id uuid NOT NULL,
    -- Alive only while it is that of the person's sessions.
    epoch integer NOT NULL,
    client text,
    address text,
    -- The operator who acts in it, if one does.
    operator text,
    started_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (org_id, session_id)
);

-- How often all sessions of a person were ended; nobody is in it who never did.
CREATE TABLE session_epochs (
    org_id uuid PRIMARY KEY,
    epoch integer NOT NULL
);
