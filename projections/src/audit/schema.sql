-- A row for each event of the log.
CREATE TABLE entries (
    position bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    org_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    -- `user:<id>`, `api_key:<id>`, `system:<role>`, `operator`, `anonymous`.
    actor text NOT NULL,
    on_behalf_of text,
    event_type text NOT NULL,
    -- Of the API, by its id; none for what came from elsewhere.
    operation text,
    resource_kind text NOT NULL,
    resource_id text NOT NULL,
    -- JSON, without secrets, and with what is personal as it is sealed. None when it is too large
    -- or cannot be read.
    changes text,
    -- Sealed under the key of the person where there is one, else plain and shortened.
    person uuid,
    address text,
    user_agent text,
    request_id text,
    trace_id text,
    correlation_id uuid NOT NULL,
    causation_id uuid
);
CREATE INDEX entries_of_organization ON entries (org_id, position);
CREATE INDEX entries_by_time ON entries (recorded_at, position);
CREATE INDEX entries_of_actor ON entries (actor, position);
CREATE INDEX entries_of_resource ON entries (resource_id, position);
CREATE INDEX entries_of_type ON entries (event_type, position);

-- The collectors that entries are sent to.
CREATE TABLE sinks (
    sink_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    url text NOT NULL,
    format text NOT NULL,
    header text NOT NULL,
    -- Sealed under a key of the installation.
    token text,
    -- Entries after this position are sent.
    since bigint NOT NULL,
    set_at timestamptz NOT NULL
);
CREATE INDEX sinks_of_organization ON sinks (org_id, sink_id);

-- What the fields of each resource were set to last, to show beside what they are changed to.
CREATE TABLE known (
    org_id uuid NOT NULL,
    resource_kind text NOT NULL,
    resource_id text NOT NULL,
    fields text NOT NULL,
    PRIMARY KEY (org_id, resource_kind, resource_id)
);
