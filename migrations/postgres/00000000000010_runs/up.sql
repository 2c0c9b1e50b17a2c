-- Bulk work that goes on in the background, page by page, in whichever worker is free. A row is all that there is of a run:
-- who dies in the middle leaves its last page undone, and another worker goes on from `position`.
CREATE TABLE webhook_runs (
    id uuid PRIMARY KEY,
    endpoint_id bigint,
    done bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    total bigint,
    -- The window of deliveries that it puts back.
    since timestamptz,
    until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    -- When its next page is due: this is what holds it to its pace.
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who has its next page, and until when.
    holder uuid,
    lease_until timestamptz,
    -- Of what it put back, all deliveries before this one have been attempted.
    mark uuid,
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'cancelled', 'failed')),
    tenant text COLLATE "C",
    position text COLLATE "C",
    error text
);

-- One at a time of each kind for each endpoint.
CREATE UNIQUE INDEX webhook_runs_running ON webhook_runs (kind, coalesce(endpoint_id, 0)) WHERE status = 'running';
