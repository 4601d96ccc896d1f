-- How far each collector of an audit log has been sent it. Which collectors there are is known from the
-- log; what is sent is made again from the view.
CREATE TABLE audit_deliveries (
    sink_id uuid PRIMARY KEY,
    -- Everything up to here has arrived, and maybe more.
    position bigint NOT NULL,
    entries bigint NOT NULL DEFAULT 0,
    -- Since something last arrived.
    tries integer NOT NULL DEFAULT 0,
    last_error text,
    failed_at timestamptz,
    delivered_at timestamptz,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Whoever sends has until then; afterwards another process may.
    lease_until timestamptz NOT NULL
);
