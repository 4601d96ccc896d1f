-- Chooses jobs of the kind $1 that may run at $2, at most $3 in all and at most $4 under way for
-- one organisation, and records their release.
WITH RECURSIVE tenants AS (
    (SELECT org_id FROM {jobs} WHERE kind = $1 AND status = 'queued' ORDER BY org_id LIMIT 1)
    UNION ALL
    SELECT (SELECT j.org_id FROM {jobs} j
            WHERE j.kind = $1 AND j.status = 'queued' AND j.org_id > t.org_id
            ORDER BY j.org_id LIMIT 1)
    FROM tenants t WHERE t.org_id IS NOT NULL
), busy AS (
    SELECT org_id, count(*) AS jobs FROM (
        SELECT org_id FROM {jobs} WHERE kind = $1 AND status = 'running'
        UNION ALL
        SELECT org_id FROM job_releases WHERE kind = $1) AS under_way
    GROUP BY org_id
), candidates AS (
    SELECT t.org_id, coalesce(b.jobs, 0) AS busy, first.*
    FROM tenants t
    LEFT JOIN busy b ON b.org_id = t.org_id
    CROSS JOIN LATERAL (
        SELECT j.job_id, j.attempt, j.rank, j.queued_position FROM {jobs} j
        WHERE j.kind = $1 AND j.status = 'queued' AND j.org_id = t.org_id AND j.not_before <= $2
          AND NOT EXISTS (SELECT FROM job_releases r
                          WHERE r.job_id = j.job_id AND r.attempt = j.attempt)
        ORDER BY j.rank, j.queued_position
        LIMIT greatest(least($3, $4 - coalesce(b.jobs, 0)), 0)) AS first
    WHERE t.org_id IS NOT NULL
), placed AS (
    SELECT *, busy + row_number() OVER (
        PARTITION BY org_id ORDER BY rank, queued_position) AS turn
    FROM candidates
), chosen AS (
    SELECT * FROM placed ORDER BY rank, turn, queued_position LIMIT $3
)
INSERT INTO job_releases (job_id, attempt, kind, rank, org_id, publish_until)
SELECT job_id, attempt, $1, rank, org_id, clock_timestamp() + make_interval(secs => $5)
FROM chosen ORDER BY rank, turn, queued_position
ON CONFLICT DO NOTHING
RETURNING job_id, attempt, rank, release
