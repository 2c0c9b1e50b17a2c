-- Events and their deliveries. The order of the columns saves padding: fixed widths first.

-- `json`, not `jsonb`: the bytes of `data` reach the receiver as they came in.
-- COLLATE "C": ids are bytes, and the order of keys must not depend on the server's locale.
-- The checks speak to those who INSERT by SQL. What a worker writes was checked when it was read, and
-- `routed_at IS NOT NULL` spares it the regular expressions.
CREATE TABLE webhook_events (
    "timestamp" double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp()),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    routed_at timestamptz,
    tenant text COLLATE "C" NOT NULL DEFAULT 'default',
    id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    source text NOT NULL DEFAULT '',
    version text NOT NULL DEFAULT '1.0',
    data json NOT NULL,
    PRIMARY KEY (tenant, id),
    CONSTRAINT webhook_events_tenant_is_1_to_64_of_letters_digits_and_marks
        CHECK (routed_at IS NOT NULL OR tenant ~ '^[A-Za-z0-9_.-]{1,64}$'),
    CONSTRAINT webhook_events_id_is_1_to_255_visible_ascii
        CHECK (routed_at IS NOT NULL OR id ~ '^[!-~]{1,255}$'),
    CONSTRAINT webhook_events_event_type_is_1_to_255_of_letters_digits_marks
        CHECK (routed_at IS NOT NULL OR event_type ~ '^[A-Za-z0-9_./-]{1,255}$'),
    CONSTRAINT webhook_events_timestamp_is_finite
        CHECK (routed_at IS NOT NULL OR ("timestamp" > '-infinity' AND "timestamp" < 'infinity')),
    CONSTRAINT webhook_events_created_at_is_in_the_calendar
        CHECK (routed_at IS NOT NULL OR (created_at >= '1970-01-01Z' AND created_at < '9999-01-01Z'))
);

CREATE INDEX webhook_events_unrouted ON webhook_events (created_at, tenant, id) WHERE routed_at IS NULL;

-- The hot table: every index and every foreign key would be paid for by every delivery. Deliveries of one event
-- and of one time span are ranges of the primary key, because ids are made of both.
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    endpoint_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    next_retry_at timestamptz,
    last_attempt_at timestamptz,
    response_time double precision,
    attempt_count integer NOT NULL,
    response_status integer,
    status text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    response_body text,
    error_message text
);

CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_retry_at, id) WHERE status IN ('pending', 'retrying');

-- Outcomes of attempts that others followed. The latest one is in the delivery's own row alone, so that a first
-- attempt that succeeds costs one row.
CREATE TABLE webhook_past_attempts (
    delivery_id uuid NOT NULL,
    at timestamptz NOT NULL,
    response_time double precision NOT NULL,
    attempt_number integer NOT NULL,
    response_status integer,
    response_body text,
    error_message text,
    PRIMARY KEY (delivery_id, attempt_number)
);

-- Every attempt, for those who ask by SQL.
CREATE VIEW webhook_attempts AS
    SELECT delivery_id, attempt_number, at, response_status, response_body, response_time, error_message
    FROM webhook_past_attempts
    UNION ALL
    SELECT id, attempt_count, last_attempt_at, response_status, response_body, response_time, error_message
    FROM webhook_deliveries
    WHERE attempt_count > 0 AND last_attempt_at IS NOT NULL;
