-- How jobs are handed to workers. Which jobs there are is known from the log alone: after the loss
-- of these tables every job is still run.

-- The attempts that wait in the stream, or are about to. A row goes away when the queue no longer
-- shows its attempt as waiting.
CREATE TABLE job_releases (
    job_id text NOT NULL,
    attempt integer NOT NULL,
    kind text NOT NULL,
    -- 0 high, 1 medium, 2 low.
    rank smallint NOT NULL,
    org_id uuid NOT NULL,
    -- Counts up each time the message was lost.
    release bigint NOT NULL DEFAULT 1,
    -- Whoever publishes the message has until then; afterwards another dispatcher may.
    publish_until timestamptz NOT NULL,
    -- Of the message; none until it is published.
    stream_sequence bigint,
    published_at timestamptz,
    -- One row for an attempt: it cannot be released twice at the same time.
    PRIMARY KEY (job_id, attempt)
);
CREATE INDEX job_releases_of_kind ON job_releases (kind, org_id);

-- Who runs an attempt. An expired lease means that its holder is gone.
CREATE TABLE job_leases (
    fence uuid PRIMARY KEY,
    job_id text NOT NULL,
    kind text NOT NULL,
    worker text NOT NULL,
    -- Of this database, as what its holder's clock says need not be so.
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);

-- How many jobs of a kind each worker can run at once.
CREATE TABLE worker_slots (
    worker text NOT NULL,
    kind text NOT NULL,
    slots integer NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (worker, kind)
);
