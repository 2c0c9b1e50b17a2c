-- Why an accepted event is a dead letter: too large, refused, or it made a worker panic. NULL for all others. Setting it
-- back to NULL lets the sweep try the event once more.
ALTER TABLE webhook_events ADD COLUMN set_aside text;

DROP INDEX webhook_events_unrouted;
CREATE INDEX webhook_events_unrouted ON webhook_events (created_at, tenant, id) WHERE routed_at IS NULL AND set_aside IS NULL;
