-- The log. Only the journal writes these tables.
--
-- Ids and keys are compared byte by byte: it is quicker than by the rules of a language, and the
-- order in which locks are taken must not depend on the collation of a database.

CREATE TABLE log_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Identity of this log: a stream that carries another one is never written to.
    log_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Raised whenever the stream is rebuilt from the log.
    stream_epoch integer NOT NULL DEFAULT 1,
    position bigint NOT NULL CHECK (position >= 0),
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, recorded_at) VALUES (0, '1970-01-01T00:00:00Z');

CREATE TABLE streams (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    org_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- The first seven columns are those of postgres-es.
CREATE TABLE events (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    event_id uuid NOT NULL,
    org_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    command_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    actor text NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_position UNIQUE (position)
);
CREATE INDEX events_of_organization ON events (org_id, position);

CREATE TABLE claims (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    org_id uuid NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE TABLE idempotency_keys (
    org_id uuid NOT NULL,
    key text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    -- The result: the aggregate as it was after the command.
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys USING brin (recorded_at);

CREATE TABLE snapshots (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    state_version integer NOT NULL,
    state jsonb NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- Where the relay last knew the stream to be. A hint: the truth is what the stream says.
CREATE TABLE relay_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Appends a batch of requests in one transaction. Each request appends to one stream and gets a
-- status of its own; a refused request leaves no trace.
--
-- The caller makes sure that no two requests of a batch share a stream, a claim or an idempotency
-- key. Locks are taken in one order everywhere: keys, claims, streams, each sorted, and the head
-- last, so that two batches cannot deadlock and positions are in commit order.
--
-- Hopeful, it expects keys and streams to be new where the caller says so, which is cheaper, and
-- fails as a whole with a unique violation of idempotency_keys_pkey or streams_pkey where they are
-- not. It is then called again without hope.
--
-- status: 0 appended, 1 the key was used before, 2 a claim is taken, 3 the version has moved.
-- claim: for status 2 the number of that claim among those given.
CREATE FUNCTION append_batch(
    hopeful boolean, given_at timestamptz,
    r_org uuid[], r_type text[], r_id text[], r_expected bigint[], r_count integer[],
    r_key text[], r_hash bytea[],
    c_request integer[], c_take boolean[], c_kind text[], c_key text[],
    e_request integer[], e_aggregate_type text[], e_aggregate_id text[], e_sequence bigint[],
    e_type text[], e_version text[], e_payload text[], e_metadata text[], e_event uuid[],
    e_org uuid[], e_command uuid[], e_correlation uuid[], e_causation uuid[], e_actor text[],
    OUT base bigint, OUT appended_at timestamptz, OUT status integer[], OUT claim bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    refused integer[];
    held record;
    wanted bigint;
    opened bigint := 0;
    moved bigint := 0;
    total bigint;
    -- The number of each event among those that are appended; none for one that is refused.
    nth bigint[];
BEGIN
    status := array_fill(0, ARRAY[cardinality(r_org)]);
    claim := array_fill(NULL::bigint, ARRAY[cardinality(r_org)]);

    IF hopeful THEN
        INSERT INTO idempotency_keys
        SELECT org, key, hash, type, id, expected + count, given_at
        FROM unnest(r_org, r_type, r_id, r_expected, r_count, r_key, r_hash)
            AS g(org, type, id, expected, count, key, hash)
        WHERE key IS NOT NULL
        ORDER BY org, key COLLATE "C";
    ELSIF cardinality(array_remove(r_key, NULL)) > 0 THEN
        WITH given AS (
            SELECT * FROM unnest(r_org, r_type, r_id, r_expected, r_count, r_key, r_hash)
                WITH ORDINALITY AS g(org, type, id, expected, count, key, hash, request)
            WHERE g.key IS NOT NULL
        ), taken AS (
            INSERT INTO idempotency_keys
            SELECT org, key, hash, type, id, expected + count, given_at FROM given
            ORDER BY org, key COLLATE "C"
            ON CONFLICT DO NOTHING
            RETURNING org_id, key
        )
        SELECT array_agg(g.request) INTO refused FROM given g
        WHERE NOT EXISTS (SELECT FROM taken t WHERE t.org_id = g.org AND t.key = g.key);
        FOR i IN 1 .. coalesce(cardinality(refused), 0) LOOP
            status[refused[i]] := 1;
        END LOOP;
    END IF;

    IF cardinality(c_request) > 0 THEN
        WITH given AS (
            SELECT c.*, r_type[c.request] AS type, r_id[c.request] AS id, r_org[c.request] AS org
            FROM unnest(c_request, c_kind, c_key, c_take) AS c(request, kind, key, take)
            WHERE take AND status[c.request] = 0
        ), taken AS (
            INSERT INTO claims
            SELECT kind, key, type, id, org FROM given ORDER BY kind COLLATE "C", key COLLATE "C"
            ON CONFLICT DO NOTHING
            RETURNING kind, key
        )
        SELECT array_agg(DISTINCT g.request) INTO refused FROM given g
        WHERE NOT EXISTS (SELECT FROM taken t WHERE t.kind = g.kind AND t.key = g.key);
        -- A claim that the aggregate holds already is no conflict, as long as the aggregate is at
        -- the version that is expected: nothing else can take its claims away. A later statement
        -- sees what was committed while the insert waited.
        FOR held IN
            SELECT c.request,
                   coalesce(max(s.version), 0) <> r_expected[c.request] AS moved,
                   min(c.number) FILTER (WHERE h.kind IS NULL) AS gone,
                   min(c.number) FILTER (WHERE h.aggregate_type <> r_type[c.request]
                                            OR h.aggregate_id <> r_id[c.request]) AS by_another
            FROM unnest(c_request, c_kind, c_key, c_take)
                WITH ORDINALITY AS c(request, kind, key, take, number)
            LEFT JOIN claims h ON h.kind = c.kind AND h.key = c.key
            LEFT JOIN streams s
              ON s.aggregate_type = r_type[c.request] AND s.aggregate_id = r_id[c.request]
            WHERE c.take AND c.request = ANY (refused)
            GROUP BY c.request
        LOOP
            claim[held.request] := coalesce(held.by_another, held.gone);
            status[held.request] := CASE
                WHEN held.by_another IS NOT NULL THEN 2
                WHEN held.moved THEN 3
                WHEN held.gone IS NOT NULL THEN 2
                ELSE 0
            END;
        END LOOP;
    END IF;

    IF hopeful THEN
        INSERT INTO streams
        SELECT type, id, org, count
        FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
            AS g(org, type, id, expected, count, status)
        WHERE g.status = 0 AND g.expected = 0 AND g.count > 0
        ORDER BY type COLLATE "C", id COLLATE "C";
    ELSE
        INSERT INTO streams
        SELECT type, id, org, count
        FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
            AS g(org, type, id, expected, count, status)
        WHERE g.status = 0 AND g.expected = 0 AND g.count > 0
        ORDER BY type COLLATE "C", id COLLATE "C"
        ON CONFLICT DO NOTHING;
    END IF;
    GET DIAGNOSTICS opened = ROW_COUNT;

    IF EXISTS (SELECT FROM unnest(r_expected) AS e(expected) WHERE expected > 0) THEN
        -- Rows are locked in the order they come in: a nested loop keeps it, and the connections
        -- that append allow no other join.
        UPDATE streams s SET version = s.version + g.count
        FROM (SELECT * FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
                  AS g(org, type, id, expected, count, status)
              WHERE g.status = 0 AND g.expected > 0
              ORDER BY type COLLATE "C", id COLLATE "C") AS g
        WHERE s.aggregate_type = g.type AND s.aggregate_id = g.id
          AND s.version = g.expected AND s.org_id = g.org;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;

    SELECT count(*) INTO wanted
    FROM unnest(r_expected, r_count, status) AS g(expected, count, status)
    WHERE g.status = 0 AND (g.expected > 0 OR g.count > 0);
    IF opened + moved < wanted THEN
        -- Those whose stream this transaction has not written.
        SELECT array_agg(g.request) INTO refused
        FROM unnest(r_type, r_id, r_expected, r_count, status)
            WITH ORDINALITY AS g(type, id, expected, count, status, request)
        WHERE g.status = 0 AND (g.expected > 0 OR g.count > 0)
          AND NOT EXISTS (SELECT FROM streams s
                          WHERE s.aggregate_type = g.type AND s.aggregate_id = g.id
                            AND s.xmin = pg_current_xact_id()::xid);
        FOR i IN 1 .. coalesce(cardinality(refused), 0) LOOP
            status[refused[i]] := 3;
        END LOOP;
    END IF;

    IF status && ARRAY[1, 2, 3] THEN
        DELETE FROM idempotency_keys k
        USING unnest(r_org, r_key, status) AS g(org, key, status)
        WHERE g.status IN (2, 3) AND k.org_id = g.org AND k.key = g.key;
        DELETE FROM claims h
        USING unnest(c_request, c_kind, c_key, c_take) AS c(request, kind, key, take)
        WHERE c.take AND status[c.request] <> 0 AND h.kind = c.kind AND h.key = c.key
          AND h.xmin = pg_current_xact_id()::xid;
    END IF;
    IF cardinality(c_request) > 0 THEN
        DELETE FROM claims h
        USING unnest(c_request, c_kind, c_key, c_take) AS c(request, kind, key, take)
        WHERE NOT c.take AND status[c.request] = 0 AND h.kind = c.kind AND h.key = c.key
          AND h.aggregate_type = r_type[c.request] AND h.aggregate_id = r_id[c.request];
    END IF;

    IF status && ARRAY[1, 2, 3] THEN
        SELECT array_agg(CASE WHEN taken THEN n END ORDER BY ordinal), max(n)
        INTO nth, total
        FROM (SELECT e.ordinal, status[e.request] = 0 AS taken,
                     count(*) FILTER (WHERE status[e.request] = 0) OVER (ORDER BY e.ordinal) AS n
              FROM unnest(e_request) WITH ORDINALITY AS e(request, ordinal)) AS numbered;
    ELSE
        nth := ARRAY(SELECT generate_series(1, cardinality(e_request)));
        total := cardinality(nth);
    END IF;
    UPDATE log_head
    SET position = position + coalesce(total, 0), recorded_at = greatest(recorded_at, given_at)
    RETURNING position - coalesce(total, 0), recorded_at INTO base, appended_at;

    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
                        payload, metadata, position, event_id, org_id, recorded_at,
                        command_id, correlation_id, causation_id, actor)
    SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.type, e.version,
           e.payload::json, e.metadata::json, base + e.nth,
           e.event, e.org, appended_at, e.command, e.correlation, e.causation, e.actor
    FROM unnest(nth, e_aggregate_type, e_aggregate_id, e_sequence, e_type, e_version,
                e_payload, e_metadata, e_event, e_org, e_command, e_correlation, e_causation,
                e_actor)
        AS e(nth, aggregate_type, aggregate_id, sequence, type, version, payload, metadata,
             event, org, command, correlation, causation, actor)
    WHERE e.nth IS NOT NULL;
END $$;

-- Events are never changed and never deleted.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
