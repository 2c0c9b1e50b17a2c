-- Totals by the hour in which deliveries were created, and indexes for lists: what is asked often must not read millions of rows.

-- Kept by triggers, so they are in the commit of what they count, whoever makes it.
CREATE TABLE webhook_totals (
    total bigint NOT NULL,
    delivered bigint NOT NULL,
    failed bigint NOT NULL,
    -- Deliveries that an attempt was made for, and the microseconds that their latest ones took.
    attempted bigint NOT NULL,
    response_micros bigint NOT NULL,
    -- Hours since 1970 in UTC.
    hour integer NOT NULL,
    -- Who counted: each recorder has a part of its own (the setting posthaste.part), so that none waits for another's commit. 0 is
    -- everybody else's, and -1 is what hours that are over were put together in. A part alone says nothing, and can be below zero.
    part smallint NOT NULL,
    -- '' is everything; 'tenant acme', 'endpoint 17'.
    whose text COLLATE "C" NOT NULL,
    PRIMARY KEY (whose, hour, part)
) WITH (fillfactor = 50);

CREATE INDEX webhook_totals_loose ON webhook_totals (hour) WHERE part >= 0;

-- The three functions differ in the rows that they count, and in nothing else. They write in the order of the key, and a
-- statement's triggers come last: so those who share a part wait for one another in turn, never in a circle.
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN VALUES
        ('inserted', 'SELECT 1 AS n, * FROM new_rows'),
        ('updated', 'SELECT 1 AS n, * FROM new_rows UNION ALL SELECT -1, * FROM old_rows'),
        ('deleted', 'SELECT -1 AS n, * FROM old_rows')
    LOOP
        EXECUTE format($function$
            CREATE FUNCTION webhook_count_%s() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
                INSERT INTO webhook_totals AS t (whose, hour, part, total, delivered, failed, attempted, response_micros)
                SELECT o.whose, c.hour, coalesce(nullif(current_setting('posthaste.part', true), ''), '0')::smallint,
                    sum(c.total), sum(c.delivered), sum(c.failed), sum(c.attempted), sum(c.response_micros)
                FROM (
                    SELECT r.tenant, r.endpoint_id, floor(extract(epoch FROM r.created_at) / 3600)::integer AS hour, sum(r.n) AS total,
                        coalesce(sum(r.n) FILTER (WHERE r.status = 'delivered'), 0) AS delivered,
                        coalesce(sum(r.n) FILTER (WHERE r.status = 'failed'), 0) AS failed,
                        coalesce(sum(r.n) FILTER (WHERE r.response_time BETWEEN 0 AND 1e9), 0) AS attempted,
                        coalesce(sum(r.n * round(r.response_time * 1e6)::bigint) FILTER (WHERE r.response_time BETWEEN 0 AND 1e9), 0)
                            AS response_micros
                    FROM (%s) r GROUP BY 1, 2, 3
                ) c, LATERAL (VALUES (''), ('tenant ' || c.tenant), ('endpoint ' || c.endpoint_id)) o (whose)
                WHERE (c.total, c.delivered, c.failed, c.attempted, c.response_micros) <> (0, 0, 0, 0, 0)
                GROUP BY o.whose, c.hour ORDER BY o.whose, c.hour
                ON CONFLICT (whose, hour, part) DO UPDATE SET total = t.total + EXCLUDED.total,
                    delivered = t.delivered + EXCLUDED.delivered, failed = t.failed + EXCLUDED.failed,
                    attempted = t.attempted + EXCLUDED.attempted, response_micros = t.response_micros + EXCLUDED.response_micros;
                RETURN NULL;
            END
            $body$ $function$, made.column1, made.column2);
    END LOOP;
END
$$;

-- The triggers first: making them keeps writers out until this commits, so what is counted below is all there is.
CREATE TRIGGER webhook_count_inserted AFTER INSERT ON webhook_deliveries
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION webhook_count_inserted();
CREATE TRIGGER webhook_count_updated AFTER UPDATE ON webhook_deliveries
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION webhook_count_updated();
CREATE TRIGGER webhook_count_deleted AFTER DELETE ON webhook_deliveries
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION webhook_count_deleted();

-- What statement triggers cannot see.
CREATE FUNCTION webhook_count_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM webhook_totals;
    RETURN NULL;
END
$$;
CREATE TRIGGER webhook_count_nothing AFTER TRUNCATE ON webhook_deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION webhook_count_nothing();

INSERT INTO webhook_totals (whose, hour, part, total, delivered, failed, attempted, response_micros)
SELECT o.whose, c.hour, 0, sum(c.total), sum(c.delivered), sum(c.failed), sum(c.attempted), sum(c.response_micros)
FROM (
    SELECT tenant, endpoint_id, floor(extract(epoch FROM created_at) / 3600)::integer AS hour, count(*) AS total,
        count(*) FILTER (WHERE status = 'delivered') AS delivered, count(*) FILTER (WHERE status = 'failed') AS failed,
        count(*) FILTER (WHERE response_time BETWEEN 0 AND 1e9) AS attempted,
        coalesce(sum(round(response_time * 1e6)::bigint) FILTER (WHERE response_time BETWEEN 0 AND 1e9), 0) AS response_micros
    FROM webhook_deliveries GROUP BY 1, 2, 3
) c, LATERAL (VALUES (''), ('tenant ' || c.tenant), ('endpoint ' || c.endpoint_id)) o (whose)
GROUP BY o.whose, c.hour;

-- Lists. On a large table each of these may be made beforehand, by CREATE INDEX CONCURRENTLY under the same name: then
-- it is found here, and nobody waits.
CREATE INDEX IF NOT EXISTS webhook_deliveries_of_type ON webhook_deliveries (event_type, id);
-- Those with one tenant, which has this name unless somebody chose another, pay nothing for it.
CREATE INDEX IF NOT EXISTS webhook_deliveries_of_tenant ON webhook_deliveries (tenant, id) WHERE tenant <> 'default';
CREATE INDEX IF NOT EXISTS webhook_events_of_tenant ON webhook_events (tenant, created_at, id) WHERE tenant <> 'default';
-- What a first attempt delivers is not in it.
CREATE INDEX IF NOT EXISTS webhook_deliveries_undelivered ON webhook_deliveries (status, id)
    WHERE status IN ('pending', 'retrying', 'failed');
