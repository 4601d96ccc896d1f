CREATE TABLE scans (
    scan_id uuid PRIMARY KEY,
    org_id uuid NOT NULL,
    state text NOT NULL,
    target_kind text NOT NULL,
    target json NOT NULL,
    profile text NOT NULL,
    engines json NOT NULL,
    attempt integer NOT NULL,
    counts json NOT NULL,
    suppressed bigint NOT NULL,
    findings bigint NOT NULL,
    warnings json NOT NULL,
    complete boolean NOT NULL,
    cancel_requested boolean NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    not_before timestamptz,
    started_at timestamptz,
    deadline timestamptz,
    finished_at timestamptz,
    reason text,
    sequence bigint NOT NULL,
    requested_position bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX scans_newest ON scans (org_id, requested_position);

CREATE TABLE findings (
    scan_id uuid NOT NULL,
    -- Counts from 1 within the scan, in the order they were found.
    number bigint NOT NULL,
    org_id uuid NOT NULL,
    engine text NOT NULL,
    -- 0 critical, 1 high, 2 medium, 3 low, 4 info.
    rank smallint NOT NULL,
    status text NOT NULL,
    rule_id text NOT NULL,
    fingerprint text NOT NULL,
    finding json NOT NULL,
    PRIMARY KEY (scan_id, rank, number),
    UNIQUE (scan_id, engine, fingerprint)
);
