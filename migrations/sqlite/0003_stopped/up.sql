-- Deliveries of disabled and removed endpoints are stopped all at once, and put back. Without a rowid these end in the id.
CREATE INDEX webhook_deliveries_waiting_of_endpoint ON webhook_deliveries (endpoint_id) WHERE status IN ('pending', 'retrying');
CREATE INDEX webhook_deliveries_failed_of_endpoint ON webhook_deliveries (endpoint_id) WHERE status = 'failed';
