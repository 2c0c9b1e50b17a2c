CREATE TRIGGER webhook_count_inserted AFTER INSERT ON webhook_deliveries BEGIN
    INSERT INTO webhook_totals (hour, endpoint_id, tenant, total, delivered, failed, attempted, response_micros)
        VALUES (NEW.created_at / 3600000000, NEW.endpoint_id, NEW.tenant, 1, NEW.status = 'delivered', NEW.status = 'failed',
            NEW.response_time IS NOT NULL, COALESCE(CAST(ROUND(NEW.response_time * 1000000) AS INTEGER), 0))
        ON CONFLICT (hour, endpoint_id, tenant) DO UPDATE SET total = total + 1, delivered = delivered + excluded.delivered,
            failed = failed + excluded.failed, attempted = attempted + excluded.attempted,
            response_micros = response_micros + excluded.response_micros;
END;
