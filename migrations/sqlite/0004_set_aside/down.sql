ALTER TABLE webhook_events DROP COLUMN set_aside;
