-- Why an accepted event is a dead letter: too large, refused, or it made a worker panic. NULL for all others. Setting it
-- back to NULL lets the sweep try the event once more.
ALTER TABLE webhook_events ADD COLUMN set_aside text;
