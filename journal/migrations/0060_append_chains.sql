-- Requests of one batch may follow each other on one stream. Connections that call the function in
-- its former way, without r_after, find it as well.
DROP FUNCTION append_batch(
    boolean, timestamptz, uuid[], text[], text[], bigint[], integer[], text[], bytea[],
    integer[], boolean[], text[], text[],
    integer[], text[], text[], bigint[], text[], text[], text[], text[], uuid[], uuid[], uuid[],
    uuid[], uuid[], text[]);

-- Appends a batch of requests in one transaction. Each request appends to one stream and gets a
-- status of its own; a refused request leaves no trace.
--
-- The caller makes sure that no two requests of a batch share a claim or an idempotency key, and that
-- those that share a stream are a chain: each names in r_after the request before it, on whose events
-- it was decided, is of the same organisation and has no claims of its own. A request whose
-- predecessor is refused is refused too. Locks are taken in one order everywhere: keys, claims,
-- streams, each sorted, and the head last, so that two batches cannot deadlock and positions are in
-- commit order.
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
    r_after integer[] DEFAULT '{}',
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

    IF status && ARRAY[1, 2, 3] THEN
        FOR i IN 1 .. cardinality(r_after) LOOP
            IF status[i] = 0 AND status[r_after[i]] <> 0 THEN
                status[i] := 3;
            END IF;
        END LOOP;
    END IF;

    IF hopeful THEN
        INSERT INTO streams
        SELECT g.type COLLATE "C", g.id COLLATE "C", g.org, sum(g.count)
        FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
            AS g(org, type, id, expected, count, status)
        WHERE g.status = 0
        GROUP BY 1, 2, 3 HAVING min(g.expected) = 0 AND sum(g.count) > 0
        ORDER BY 1, 2;
    ELSE
        INSERT INTO streams
        SELECT g.type COLLATE "C", g.id COLLATE "C", g.org, sum(g.count)
        FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
            AS g(org, type, id, expected, count, status)
        WHERE g.status = 0
        GROUP BY 1, 2, 3 HAVING min(g.expected) = 0 AND sum(g.count) > 0
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;
    END IF;
    GET DIAGNOSTICS opened = ROW_COUNT;

    IF EXISTS (SELECT FROM unnest(r_expected) AS e(expected) WHERE expected > 0) THEN
        -- Rows are locked in the order they come in: a nested loop keeps it, and the connections
        -- that append allow no other join.
        UPDATE streams s SET version = s.version + g.count
        FROM (SELECT g.type COLLATE "C" AS type, g.id COLLATE "C" AS id, g.org,
                     min(g.expected) AS expected, sum(g.count) AS count
              FROM unnest(r_org, r_type, r_id, r_expected, r_count, status)
                  AS g(org, type, id, expected, count, status)
              WHERE g.status = 0
              GROUP BY 1, 2, 3 HAVING min(g.expected) > 0
              ORDER BY 1, 2) AS g
        WHERE s.aggregate_type = g.type AND s.aggregate_id = g.id
          AND s.version = g.expected AND s.org_id = g.org;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;

    -- Each chain begins with a request that is after none.
    SELECT count(*) INTO wanted
    FROM unnest(r_expected, r_count, status, r_after) AS g(expected, count, status, after)
    WHERE g.status = 0 AND g.after IS NULL AND (g.expected > 0 OR g.count > 0);
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
