-- What sluice writes down in PostgreSQL. Rows are only ever inserted, by a role
-- that needs INSERT on these four tables and nothing else; retention is yours
-- (deleting from decision takes what was derived from it along).

CREATE TABLE schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT current_user
);
COMMENT ON TABLE schema_version IS
    'The numbered SQL files applied to this schema by sluicectl db migrate.';

CREATE TABLE decision (
    id uuid PRIMARY KEY,
    arrived bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL DEFAULT now(),
    instance text NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    migration text NOT NULL,
    action text NOT NULL,
    phase_from text NOT NULL,
    phase_to text NOT NULL,
    from_ppm integer NOT NULL,
    to_ppm integer NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    evidence jsonb,
    config_hash text NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_migration_at ON decision (migration, at);
CREATE INDEX decision_instance_seq ON decision (instance, seq);
COMMENT ON TABLE decision IS
    'One thing that changed traffic or refused to: who, when, from what to what, why, on what evidence.';
COMMENT ON COLUMN decision.id IS 'UUIDv7, drawn when the decision was made.';
COMMENT ON COLUMN decision.arrived IS
    'Order of arrival here; within an instance the same as seq unless a row had been refused.';
COMMENT ON COLUMN decision.instance IS 'host:journal.path of the sluice that decided.';
COMMENT ON COLUMN decision.seq IS 'Place in that instance''s own journal.';
COMMENT ON COLUMN decision.at IS 'When it was decided, by the instance''s clock.';
COMMENT ON COLUMN decision.migration IS 'Empty: the whole process.';
COMMENT ON COLUMN decision.action IS
    'advance done revert cutback weight start pause resume abort timeout reload reload_refused refused start_up stop lost dropped ...';
COMMENT ON COLUMN decision.from_ppm IS 'Weight of new before, parts per million.';
COMMENT ON COLUMN decision.to_ppm IS 'Weight of new after, parts per million.';
COMMENT ON COLUMN decision.actor IS 'guard, plan, file, signal, user:NAME, journal ...';
COMMENT ON COLUMN decision.evidence IS
    'Counts, percentiles, rates, thresholds and guard values it was decided on.';
COMMENT ON COLUMN decision.config_hash IS 'SHA-256 of the configuration in force.';
COMMENT ON COLUMN decision.generation IS 'Of the migration''s state after the decision.';

CREATE TABLE migration_tracking (
    decision_id uuid PRIMARY KEY REFERENCES decision ON DELETE CASCADE,
    instance text NOT NULL,
    migration text NOT NULL,
    at timestamptz NOT NULL,
    phase text NOT NULL,
    new_ppm integer NOT NULL,
    phase_before text NOT NULL,
    new_ppm_before integer NOT NULL,
    action text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX migration_tracking_latest
    ON migration_tracking (instance, migration, at DESC, decision_id DESC);
COMMENT ON TABLE migration_tracking IS
    'The history of each migration: a row for each change of its phase or weight. The latest is in migration_current.';
COMMENT ON COLUMN migration_tracking.new_ppm IS 'Weight of new from then on, parts per million.';

CREATE TABLE migration_metrics (
    id uuid PRIMARY KEY,
    instance text NOT NULL,
    migration text NOT NULL,
    at timestamptz NOT NULL,
    interval_ms integer NOT NULL,
    new_ppm integer NOT NULL,
    legacy_requests bigint NOT NULL,
    legacy_attempts bigint NOT NULL,
    legacy_errors bigint NOT NULL,
    legacy_p50_us bigint NOT NULL,
    legacy_p95_us bigint NOT NULL,
    legacy_p99_us bigint NOT NULL,
    new_requests bigint NOT NULL,
    new_attempts bigint NOT NULL,
    new_errors bigint NOT NULL,
    new_p50_us bigint NOT NULL,
    new_p95_us bigint NOT NULL,
    new_p99_us bigint NOT NULL,
    spilled bigint NOT NULL,
    rescued bigint NOT NULL,
    evidence double precision NOT NULL
);
CREATE INDEX migration_metrics_migration_at ON migration_metrics (migration, at);
CREATE INDEX migration_metrics_at ON migration_metrics USING brin (at);
COMMENT ON TABLE migration_metrics IS
    'What both pools of a migration did, summed over an interval that ends at "at". Guards judge attempts, users are judged by requests.';
COMMENT ON COLUMN migration_metrics.legacy_p95_us IS
    'Age of attempts to the first byte of the response head, microseconds.';
COMMENT ON COLUMN migration_metrics.spilled IS
    'Requests meant for new that went to legacy because new had no server for them.';
COMMENT ON COLUMN migration_metrics.rescued IS
    'Requests answered by legacy because new had failed them before the client saw a byte.';
COMMENT ON COLUMN migration_metrics.evidence IS
    'The largest evidence of the guards, as a share of what makes them revert.';

CREATE TABLE migration_rollback (
    decision_id uuid PRIMARY KEY REFERENCES decision ON DELETE CASCADE,
    instance text NOT NULL,
    migration text NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    phase_before text NOT NULL,
    from_ppm integer NOT NULL,
    to_ppm integer NOT NULL,
    first_bad_at timestamptz,
    evidence jsonb,
    config_hash text NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX migration_rollback_migration_at ON migration_rollback (migration, at);
COMMENT ON TABLE migration_rollback IS
    'Each return to legacy: reverts by a guard, and cutbacks by a person.';
COMMENT ON COLUMN migration_rollback.kind IS 'revert or cutback.';
COMMENT ON COLUMN migration_rollback.first_bad_at IS
    'The first bad attempt of the evidence (its first_bad_us), where the guard knew.';
