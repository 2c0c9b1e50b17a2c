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

ALTER TABLE webhook_endpoints DROP COLUMN previous_secrets;
