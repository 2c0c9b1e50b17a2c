DROP TABLE webhook_runs;
