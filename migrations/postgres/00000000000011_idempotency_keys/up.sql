-- Requests of door 2 that came with an Idempotency-Key, written in the commit of their events: whoever repeats one gets the answer of
-- before. Of key and body there are SHA-256 alone; `key` is over the token and its tenant too.
CREATE TABLE webhook_idempotency_keys (
    created_at timestamptz NOT NULL,
    key bytea PRIMARY KEY,
    body bytea NOT NULL,
    -- What was answered: the id of each event, in order.
    ids text[] NOT NULL
);

-- Retention goes through the oldest.
CREATE INDEX webhook_idempotency_keys_by_time ON webhook_idempotency_keys (created_at);
