CREATE OR REPLACE VIEW webhook_attempts AS
    SELECT delivery_id, attempt_number, at, response_status, response_body, response_time, error_message
    FROM webhook_past_attempts
    UNION ALL
    SELECT id, attempt_count, last_attempt_at, response_status, response_body, response_time, error_message
    FROM webhook_deliveries
    WHERE attempt_count > 0 AND last_attempt_at IS NOT NULL;

DROP INDEX webhook_deliveries_failed_of_endpoint;
DROP INDEX webhook_deliveries_waiting_of_endpoint;
ALTER TABLE webhook_deliveries DROP COLUMN attempt_error;
