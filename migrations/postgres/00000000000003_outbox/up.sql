-- Door 3: an event that an application inserts in its own transaction goes out after its commit. NOTIFY is
-- transactional: nobody hears of a row before it is committed, or of one that was rolled back.
--
-- What Posthaste itself inserts must cost nothing more: a worker's rows are routed already, and door 2 offers its events
-- by itself, on connections with `posthaste.offers` = `itself`. WHEN is looked at before anything is put in a queue.
--
-- A commit that notifies holds a lock of the whole server until it is on disk, so such commits are not grouped. An
-- application with thousands of small outbox transactions a second, or one that uses PREPARE TRANSACTION, which refuses
-- NOTIFY, may say `ALTER TABLE webhook_events DISABLE TRIGGER webhook_tell_of_event`: the sweep finds its events then.
CREATE FUNCTION webhook_tell_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('webhook_events', NEW.tenant || '/' || NEW.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER webhook_tell_of_event AFTER INSERT ON webhook_events
    FOR EACH ROW WHEN (NEW.routed_at IS NULL AND current_setting('posthaste.offers', true) IS DISTINCT FROM 'itself')
    EXECUTE FUNCTION webhook_tell_of_event();
