DROP TRIGGER webhook_endpoints_updated;
CREATE TRIGGER webhook_endpoints_updated AFTER UPDATE OF
    tenant, name, url, is_active, event_types, headers, timeout, max_retries, retry_delay, retry_schedule,
    rate_limit, in_flight, secret, disabled_reason, created_at, updated_at, deleted_at, failing_since, recovering
ON webhook_endpoints BEGIN
    UPDATE webhook_catalog SET revision = revision + 1;
    UPDATE webhook_endpoints SET revision = (SELECT revision FROM webhook_catalog) WHERE id = NEW.id;
END;
ALTER TABLE webhook_endpoints DROP COLUMN previous_secrets;
