-- What an operator asks first: where is each migration now, and how do its two
-- pools compare?

CREATE VIEW migration_current AS
SELECT DISTINCT ON (instance, migration)
    instance, migration, phase, round(new_ppm / 10000.0, 4) AS new_percent,
    at AS since, action, actor, reason, generation, decision_id
FROM migration_tracking
ORDER BY instance, migration, at DESC, decision_id DESC;
COMMENT ON VIEW migration_current IS
    'Phase and weight of each migration on each instance, and who made it so.';

CREATE VIEW migration_minute AS
SELECT
    migration, date_trunc('minute', at) AS minute,
    sum(legacy_requests) AS legacy_requests,
    sum(new_requests) AS new_requests,
    round(100.0 * sum(new_requests)
        / nullif(sum(legacy_requests) + sum(new_requests), 0), 3) AS new_share_percent,
    round(100.0 * sum(legacy_errors) / nullif(sum(legacy_attempts), 0), 3)
        AS legacy_error_percent,
    round(100.0 * sum(new_errors) / nullif(sum(new_attempts), 0), 3)
        AS new_error_percent,
    max(legacy_p95_us) AS legacy_worst_p95_us,
    max(new_p95_us) AS new_worst_p95_us,
    sum(spilled) AS spilled,
    sum(rescued) AS rescued,
    max(evidence) AS worst_evidence
FROM migration_metrics
GROUP BY migration, date_trunc('minute', at);
COMMENT ON VIEW migration_minute IS
    'Both pools of each migration minute by minute, over all instances; the p95s are the worst interval''s, since percentiles cannot be averaged.';
