-- How far each build of each read model has come. Only the projections write these tables.

CREATE TABLE projections (
    name text NOT NULL,
    -- The version of the code that folds it.
    version integer NOT NULL CHECK (version > 0),
    -- Counts the builds of that version.
    generation integer NOT NULL CHECK (generation > 0),
    -- The Postgres schema that holds its tables.
    schema_name text NOT NULL UNIQUE,
    -- building: catches up. ready: has caught up and may be switched to. live: answers queries.
    -- standby: was live before and is kept up to date, to switch back to.
    status text NOT NULL CHECK (status IN ('building', 'ready', 'live', 'standby')),
    -- Everything up to here is in its tables.
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    dead_letters bigint NOT NULL DEFAULT 0,
    -- Smoothed, of the projector that feeds it.
    events_per_second double precision NOT NULL DEFAULT 0,
    -- Why it does not go on, while it does not.
    error text,
    -- Not fed beyond this position until that time, so that builds can be compared and switched
    -- at one position.
    hold_at bigint,
    hold_until timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version, generation),
    -- Checked at commit, so that a switch is one statement.
    CONSTRAINT one_live_generation EXCLUDE (name WITH =, version WITH =)
        WHERE (status = 'live') DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT one_other_generation EXCLUDE (name WITH =, version WITH =)
        WHERE (status <> 'live') DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 20);

-- Events that a build could not apply, and the later ones of the same aggregate behind them.
CREATE TABLE dead_letters (
    projection text NOT NULL,
    version integer NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    -- Whose event it is.
    org_id uuid NOT NULL,
    event_type text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    -- True for an event that only waits behind the one that failed.
    parked boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, generation, position),
    FOREIGN KEY (projection, version, generation)
        REFERENCES projections (name, version, generation) ON DELETE CASCADE
);
CREATE INDEX dead_letters_of_aggregate
    ON dead_letters (projection, version, generation, aggregate_type, aggregate_id, position);
CREATE INDEX dead_letters_of_organization ON dead_letters (org_id, position);
