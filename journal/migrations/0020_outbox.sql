-- What events ask for outside of the log, and is not done yet: mails to send, keys of erased people to
-- destroy. An event is named by its position alone, so that nothing personal is here. After the loss of
-- these tables everything is looked at again from the beginning of the log.

CREATE TABLE outbox (
    position bigint PRIMARY KEY,
    event_type text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    -- Whoever tries it has until then; afterwards it may be tried again.
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Of the last try.
    error text,
    -- Given up; an operator decides.
    dead boolean NOT NULL DEFAULT false,
    taken_in_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);
CREATE INDEX outbox_due ON outbox (due_at) WHERE NOT dead;

-- How far the log has been looked through.
CREATE TABLE outbox_checkpoint (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO outbox_checkpoint (position) VALUES (0);
