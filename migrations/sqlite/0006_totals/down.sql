DROP TRIGGER webhook_count_deleted;
DROP TRIGGER webhook_count_updated;
DROP TRIGGER webhook_count_inserted;
DROP TABLE webhook_totals;
