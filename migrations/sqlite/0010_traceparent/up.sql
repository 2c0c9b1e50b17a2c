-- The trace that an event goes on with, as W3C Trace Context spells it.
ALTER TABLE webhook_events ADD COLUMN traceparent TEXT;
