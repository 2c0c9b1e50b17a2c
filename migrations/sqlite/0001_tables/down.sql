DROP TABLE webhook_dead_letters;
DROP VIEW webhook_attempts;
DROP TABLE webhook_past_attempts;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_events;
DROP TABLE webhook_endpoints;
DROP TABLE webhook_removed_endpoints;
DROP TABLE webhook_catalog;
