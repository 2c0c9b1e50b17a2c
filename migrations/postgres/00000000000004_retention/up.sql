-- Events by age: retention goes through the oldest of them, and lists start from the newest.
CREATE INDEX webhook_events_by_time ON webhook_events (created_at, tenant, id);
