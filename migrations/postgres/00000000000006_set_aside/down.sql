DROP INDEX webhook_events_unrouted;
ALTER TABLE webhook_events DROP COLUMN set_aside;
CREATE INDEX webhook_events_unrouted ON webhook_events (created_at, tenant, id) WHERE routed_at IS NULL;
