-- Endpoints at which nothing succeeds. Both are written by workers, and none of it is the owner's doing: updated_at stays as it is.

-- Since when all attempts have failed; NULL while they succeed. After `endpoints.disable_after` the endpoint is disabled.
ALTER TABLE webhook_endpoints ADD COLUMN failing_since timestamptz;
-- Enabled again after Posthaste had disabled it, and nothing has succeeded since.
ALTER TABLE webhook_endpoints ADD COLUMN recovering boolean NOT NULL DEFAULT false;

CREATE OR REPLACE FUNCTION webhook_stamp_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT revision INTO STRICT NEW.revision FROM webhook_catalog;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.failing_since IS NOT DISTINCT FROM OLD.failing_since AND NEW.recovering = OLD.recovering THEN
            NEW.updated_at := clock_timestamp();
        END IF;
        -- Whoever enables it, by whatever means, gives it all the time that a new one has.
        IF NEW.is_active AND NOT OLD.is_active THEN
            NEW.failing_since := NULL;
            NEW.recovering := OLD.recovering OR OLD.disabled_reason IS NOT NULL;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
