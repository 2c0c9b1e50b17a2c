-- Totals by the hour in which deliveries were created, so that asking for them does not read every row. Triggers keep
-- them, so they are in the commit of what they count.
CREATE TABLE webhook_totals (
    hour            INTEGER NOT NULL, -- hours since 1970 in UTC
    endpoint_id     BIGINT NOT NULL,
    tenant          TEXT NOT NULL,
    total           BIGINT NOT NULL DEFAULT 0,
    delivered       BIGINT NOT NULL DEFAULT 0,
    failed          BIGINT NOT NULL DEFAULT 0,
    attempted       BIGINT NOT NULL DEFAULT 0, -- those that an attempt was made for
    response_micros BIGINT NOT NULL DEFAULT 0, -- that their latest attempts took
    PRIMARY KEY (hour, endpoint_id, tenant)
) WITHOUT ROWID;

INSERT INTO webhook_totals
    SELECT created_at / 3600000000, endpoint_id, tenant, COUNT(*), SUM(status = 'delivered'), SUM(status = 'failed'),
        COUNT(response_time), COALESCE(SUM(CAST(ROUND(response_time * 1000000) AS INTEGER)), 0)
    FROM webhook_deliveries GROUP BY 1, 2, 3;

CREATE TRIGGER webhook_count_inserted AFTER INSERT ON webhook_deliveries BEGIN
    INSERT INTO webhook_totals (hour, endpoint_id, tenant, total, delivered, failed, attempted, response_micros)
        VALUES (NEW.created_at / 3600000000, NEW.endpoint_id, NEW.tenant, 1, NEW.status = 'delivered', NEW.status = 'failed',
            NEW.response_time IS NOT NULL, COALESCE(CAST(ROUND(NEW.response_time * 1000000) AS INTEGER), 0))
        ON CONFLICT (hour, endpoint_id, tenant) DO UPDATE SET total = total + 1, delivered = delivered + excluded.delivered,
            failed = failed + excluded.failed, attempted = attempted + excluded.attempted,
            response_micros = response_micros + excluded.response_micros;
END;

CREATE TRIGGER webhook_count_updated AFTER UPDATE OF status, response_time ON webhook_deliveries
WHEN NEW.status IS NOT OLD.status OR NEW.response_time IS NOT OLD.response_time BEGIN
    UPDATE webhook_totals SET
        delivered = delivered + (NEW.status = 'delivered') - (OLD.status = 'delivered'),
        failed = failed + (NEW.status = 'failed') - (OLD.status = 'failed'),
        attempted = attempted + (NEW.response_time IS NOT NULL) - (OLD.response_time IS NOT NULL),
        response_micros = response_micros + COALESCE(CAST(ROUND(NEW.response_time * 1000000) AS INTEGER), 0)
            - COALESCE(CAST(ROUND(OLD.response_time * 1000000) AS INTEGER), 0)
    WHERE hour = OLD.created_at / 3600000000 AND endpoint_id = OLD.endpoint_id AND tenant = OLD.tenant;
END;

CREATE TRIGGER webhook_count_deleted AFTER DELETE ON webhook_deliveries BEGIN
    UPDATE webhook_totals SET total = total - 1, delivered = delivered - (OLD.status = 'delivered'),
        failed = failed - (OLD.status = 'failed'), attempted = attempted - (OLD.response_time IS NOT NULL),
        response_micros = response_micros - COALESCE(CAST(ROUND(OLD.response_time * 1000000) AS INTEGER), 0)
    WHERE hour = OLD.created_at / 3600000000 AND endpoint_id = OLD.endpoint_id AND tenant = OLD.tenant;
    DELETE FROM webhook_totals WHERE hour = OLD.created_at / 3600000000 AND endpoint_id = OLD.endpoint_id AND tenant = OLD.tenant
        AND total = 0;
END;
