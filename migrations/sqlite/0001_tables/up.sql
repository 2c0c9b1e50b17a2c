-- Times are microseconds since 1970 in UTC. JSON is TEXT, so that its bytes are kept.

CREATE TABLE webhook_endpoints (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- an id is never given twice: deliveries outlive their endpoint
    tenant          TEXT NOT NULL DEFAULT 'default',
    name            TEXT NOT NULL,
    url             TEXT NOT NULL,
    is_active       BOOLEAN NOT NULL DEFAULT TRUE,
    event_types     TEXT NOT NULL,                     -- a list of patterns
    headers         TEXT NOT NULL DEFAULT '{}',
    timeout         DOUBLE NOT NULL DEFAULT 30,        -- seconds
    max_retries     INTEGER NOT NULL DEFAULT 3,
    retry_delay     DOUBLE NOT NULL DEFAULT 60,        -- seconds
    retry_schedule  TEXT,                              -- a list of seconds
    rate_limit      TEXT,                              -- {"max_requests", "window"}
    in_flight       INTEGER,
    secret          TEXT NOT NULL,
    disabled_reason TEXT,
    created_at      BIGINT NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    updated_at      BIGINT NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    deleted_at      BIGINT,
    revision        BIGINT NOT NULL DEFAULT 0          -- of the catalog, when this row changed last
);
CREATE INDEX webhook_endpoints_revision ON webhook_endpoints (revision);

-- One row: counts the changes of webhook_endpoints. Triggers do it, so that plain SQL counts too.
CREATE TABLE webhook_catalog (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL
);
INSERT INTO webhook_catalog (id, revision) VALUES (1, 0);

-- What plain SQL deleted for good; the API only sets deleted_at.
CREATE TABLE webhook_removed_endpoints (
    id       INTEGER PRIMARY KEY,
    revision BIGINT NOT NULL
);

CREATE TRIGGER webhook_endpoints_inserted AFTER INSERT ON webhook_endpoints BEGIN
    UPDATE webhook_catalog SET revision = revision + 1;
    UPDATE webhook_endpoints SET revision = (SELECT revision FROM webhook_catalog) WHERE id = NEW.id;
END;

-- Every column but revision, which the triggers themselves set.
CREATE TRIGGER webhook_endpoints_updated AFTER UPDATE OF
    tenant, name, url, is_active, event_types, headers, timeout, max_retries, retry_delay, retry_schedule,
    rate_limit, in_flight, secret, disabled_reason, created_at, updated_at, deleted_at
ON webhook_endpoints BEGIN
    UPDATE webhook_catalog SET revision = revision + 1;
    UPDATE webhook_endpoints SET revision = (SELECT revision FROM webhook_catalog) WHERE id = NEW.id;
END;

CREATE TRIGGER webhook_endpoints_deleted AFTER DELETE ON webhook_endpoints BEGIN
    UPDATE webhook_catalog SET revision = revision + 1;
    INSERT OR REPLACE INTO webhook_removed_endpoints (id, revision) SELECT OLD.id, revision FROM webhook_catalog;
END;

CREATE TABLE webhook_events (
    seq        INTEGER PRIMARY KEY,
    tenant     TEXT NOT NULL DEFAULT 'default',
    id         TEXT NOT NULL,
    event_type TEXT NOT NULL,
    data       TEXT NOT NULL,
    source     TEXT NOT NULL DEFAULT '',
    version    TEXT NOT NULL DEFAULT '1.0',
    timestamp  DOUBLE NOT NULL DEFAULT (unixepoch('subsec')), -- Unix seconds, as the application says
    created_at BIGINT NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER)),
    routed_at  BIGINT                                         -- NULL: accepted, and its deliveries are not recorded yet
);
-- The id first: lists look an event up without knowing its tenant.
CREATE UNIQUE INDEX webhook_events_key ON webhook_events (id, tenant);
CREATE INDEX webhook_events_unrouted ON webhook_events (created_at, seq) WHERE routed_at IS NULL;

CREATE TABLE webhook_deliveries (
    id              BLOB PRIMARY KEY, -- 16 bytes; sorts by the age of the event
    tenant          TEXT NOT NULL,
    endpoint_id     BIGINT NOT NULL,
    event_id        TEXT NOT NULL,
    event_type      TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'retrying', 'delivered', 'failed')),
    attempt_count   INTEGER NOT NULL,
    last_attempt_at BIGINT,           -- this and the next four: the latest attempt's outcome, kept here alone
    response_status INTEGER,
    response_body   TEXT,
    response_time   DOUBLE,           -- seconds
    error_message   TEXT,
    reason          TEXT,             -- why it failed, where that was not an attempt's doing
    next_retry_at   BIGINT,           -- set while the status is pending or retrying
    created_at      BIGINT NOT NULL   -- when its event was accepted
) WITHOUT ROWID;
-- Without a rowid every index ends in the primary key, so these sort by id too.
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (next_retry_at) WHERE status IN ('pending', 'retrying');
-- For lists of what is not delivered: rare among the delivered, which are not in it and cost nothing.
CREATE INDEX webhook_deliveries_undelivered ON webhook_deliveries (status) WHERE status IN ('pending', 'retrying', 'failed');

-- The outcomes of all attempts but the latest.
CREATE TABLE webhook_past_attempts (
    delivery_id     BLOB NOT NULL,
    attempt_number  INTEGER NOT NULL,
    attempted_at    BIGINT NOT NULL,
    response_status INTEGER,
    response_body   TEXT,
    response_time   DOUBLE NOT NULL,
    error_message   TEXT,
    PRIMARY KEY (delivery_id, attempt_number)
) WITHOUT ROWID;

CREATE VIEW webhook_attempts AS
    SELECT delivery_id, attempt_number, attempted_at, response_status, response_body, response_time, error_message
        FROM webhook_past_attempts
    UNION ALL
    SELECT id, attempt_count, last_attempt_at, response_status, response_body, response_time, error_message
        FROM webhook_deliveries WHERE last_attempt_at IS NOT NULL;

CREATE TABLE webhook_dead_letters (
    id     INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    class  TEXT NOT NULL,
    at     BIGINT NOT NULL,
    entry  BLOB NOT NULL
);
