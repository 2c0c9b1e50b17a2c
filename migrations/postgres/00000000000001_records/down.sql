DROP VIEW webhook_attempts;
DROP TABLE webhook_past_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_events;
