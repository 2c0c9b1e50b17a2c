DROP TABLE webhook_idempotency_keys;
