DROP TRIGGER webhook_tell_of_event ON webhook_events;
DROP FUNCTION webhook_tell_of_event();
