-- Endpoints at which nothing succeeds. Both are written by workers, and none of it is the owner's doing: updated_at stays as it is.

-- Since when all attempts have failed; NULL while they succeed. After `endpoints.disable_after` the endpoint is disabled.
ALTER TABLE webhook_endpoints ADD COLUMN failing_since BIGINT;
-- Enabled again after Posthaste had disabled it, and nothing has succeeded since.
ALTER TABLE webhook_endpoints ADD COLUMN recovering BOOLEAN NOT NULL DEFAULT FALSE;

-- Every column but revision, which the triggers themselves set.
DROP TRIGGER webhook_endpoints_updated;
CREATE TRIGGER webhook_endpoints_updated AFTER UPDATE OF
    tenant, name, url, is_active, event_types, headers, timeout, max_retries, retry_delay, retry_schedule,
    rate_limit, in_flight, secret, disabled_reason, created_at, updated_at, deleted_at, failing_since, recovering
ON webhook_endpoints BEGIN
    UPDATE webhook_catalog SET revision = revision + 1;
    UPDATE webhook_endpoints SET revision = (SELECT revision FROM webhook_catalog) WHERE id = NEW.id;
END;

-- Whoever enables it, by whatever means, gives it all the time that a new one has.
CREATE TRIGGER webhook_endpoints_enabled AFTER UPDATE OF is_active ON webhook_endpoints
WHEN NEW.is_active AND NOT OLD.is_active BEGIN
    UPDATE webhook_endpoints SET failing_since = NULL, recovering = OLD.recovering OR OLD.disabled_reason IS NOT NULL WHERE id = NEW.id;
END;
