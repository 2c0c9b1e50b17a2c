-- Why an accepted event is a dead letter. NULL for all others; setting it back to NULL lets the sweep try the event once more.
ALTER TABLE webhook_events ADD COLUMN set_aside TEXT;
