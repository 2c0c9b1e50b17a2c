-- Why an accepted event is a dead letter. NULL for all others; setting it back to NULL lets the sweep try the event once more.
ALTER TABLE webhook_events ADD COLUMN set_aside TEXT;

DROP INDEX webhook_events_unrouted;
CREATE INDEX webhook_events_unrouted ON webhook_events (created_at, seq) WHERE routed_at IS NULL AND set_aside IS NULL;
