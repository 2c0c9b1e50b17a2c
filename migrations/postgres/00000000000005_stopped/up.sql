-- Deliveries of disabled and removed endpoints: stopped all at once, and put back.

-- A stopped delivery's `error_message` says what stopped it. Its latest attempt's own error is here meanwhile.
ALTER TABLE webhook_deliveries ADD COLUMN attempt_error text;

-- What a first attempt delivers is in neither of them, and costs nothing.
CREATE INDEX webhook_deliveries_waiting_of_endpoint ON webhook_deliveries (endpoint_id, id) WHERE status IN ('pending', 'retrying');
CREATE INDEX webhook_deliveries_failed_of_endpoint ON webhook_deliveries (endpoint_id, id) WHERE status = 'failed';

CREATE OR REPLACE VIEW webhook_attempts AS
    SELECT delivery_id, attempt_number, at, response_status, response_body, response_time, error_message
    FROM webhook_past_attempts
    UNION ALL
    SELECT id, attempt_count, last_attempt_at, response_status, response_body, response_time, coalesce(attempt_error, error_message)
    FROM webhook_deliveries
    WHERE attempt_count > 0 AND last_attempt_at IS NOT NULL;
