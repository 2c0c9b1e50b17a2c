DROP TABLE webhook_endpoints;
DROP TABLE webhook_removed_endpoints;
DROP TABLE webhook_catalog;
DROP FUNCTION webhook_keep_removed_endpoint();
DROP FUNCTION webhook_stamp_endpoint();
DROP FUNCTION webhook_next_revision();
DROP FUNCTION webhook_new_secret();
