-- Bulk work that goes on in the background, page by page. A row is all that there is of a run: after a restart it goes on from `position`.
CREATE TABLE webhook_runs (
    id          BLOB PRIMARY KEY, -- 16 bytes; sorts by age
    kind        TEXT NOT NULL,
    tenant      TEXT,
    endpoint_id BIGINT,
    since       BIGINT,           -- this and the next: the window of deliveries that it puts back
    until       BIGINT,
    status      TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'cancelled', 'failed')),
    done        BIGINT NOT NULL DEFAULT 0,
    refused     BIGINT NOT NULL DEFAULT 0,
    total       BIGINT,
    position    TEXT,
    mark        BLOB,             -- of what it put back, all deliveries before this one have been attempted
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT,
    error       TEXT,
    next_at     BIGINT NOT NULL,  -- when its next page is due: this is what holds it to its pace
    holder      BLOB,             -- who has its next page,
    lease_until BIGINT            -- and until when
) WITHOUT ROWID;
-- One at a time of each kind for each endpoint.
CREATE UNIQUE INDEX webhook_runs_running ON webhook_runs (kind, coalesce(endpoint_id, 0)) WHERE status = 'running';

-- From now on the id of a dead letter is never given twice: whoever drops it a second time must not meet another one.
CREATE TABLE webhook_dead_letters_new (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    reason TEXT NOT NULL,
    class  TEXT NOT NULL,
    at     BIGINT NOT NULL,
    entry  BLOB NOT NULL
);
INSERT INTO webhook_dead_letters_new (id, reason, class, at, entry) SELECT id, reason, class, at, entry FROM webhook_dead_letters;
DROP TABLE webhook_dead_letters;
ALTER TABLE webhook_dead_letters_new RENAME TO webhook_dead_letters;
