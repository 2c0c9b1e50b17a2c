-- Secrets that were replaced and still sign: [{"secret", "until"}], newest first, `until` in microseconds since 1970. They are
-- encrypted where `secret` is.
ALTER TABLE webhook_endpoints ADD COLUMN previous_secrets json NOT NULL DEFAULT '[]';

CREATE OR REPLACE FUNCTION webhook_stamp_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT revision INTO STRICT NEW.revision FROM webhook_catalog;
    IF TG_OP = 'UPDATE' THEN
        -- Who encrypts a secret, or drops one that is over, did not change the endpoint; who rotates says so.
        IF NEW.failing_since IS NOT DISTINCT FROM OLD.failing_since AND NEW.recovering = OLD.recovering
            AND NEW.previous_secrets::text = OLD.previous_secrets::text
            AND NOT (NEW.secret <> OLD.secret AND NEW.secret LIKE 'sealed:%') THEN
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
