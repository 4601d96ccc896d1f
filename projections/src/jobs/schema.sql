-- Jobs that have not ended.
CREATE TABLE jobs (
    job_id text PRIMARY KEY,
    kind text NOT NULL,
    org_id uuid NOT NULL,
    -- 0 high, 1 medium, 2 low.
    rank smallint NOT NULL,
    status text NOT NULL,
    attempt integer NOT NULL,
    fence uuid,
    -- 1970 where it was not put off.
    not_before timestamptz NOT NULL,
    deadline timestamptz,
    cancel_requested boolean NOT NULL,
    -- Who asked for it, as the event says: `user:<id>`, `api_key:<id>`.
    requested_by text NOT NULL,
    -- Position and time of the event that put it into the queue, this time.
    queued_position bigint NOT NULL,
    queued_at timestamptz NOT NULL,
    -- Of that event, to go on with its trace.
    event_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    metadata json NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX jobs_in_queue ON jobs (kind, status, org_id, rank, queued_position);
CREATE INDEX jobs_by_time ON jobs (kind, not_before) WHERE status = 'queued';
CREATE INDEX jobs_of_requester ON jobs (requested_by) WHERE status = 'queued';
