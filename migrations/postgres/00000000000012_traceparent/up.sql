-- The trace that an event goes on with, as W3C Trace Context spells it. No check: what is none is left out when it is read, and no event
-- is refused for it. Without a default, adding it rewrites nothing.
ALTER TABLE webhook_events ADD COLUMN traceparent text COLLATE "C";
