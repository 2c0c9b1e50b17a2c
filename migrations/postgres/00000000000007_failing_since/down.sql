CREATE OR REPLACE FUNCTION webhook_stamp_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT revision INTO STRICT NEW.revision FROM webhook_catalog;
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;

ALTER TABLE webhook_endpoints DROP COLUMN recovering;
ALTER TABLE webhook_endpoints DROP COLUMN failing_since;
