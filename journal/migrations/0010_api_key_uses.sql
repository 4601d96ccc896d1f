-- When each API key was last used, some seconds behind. Whether a key may be used is in the log; that
-- it was used is not worth an event.

CREATE TABLE api_key_uses (
    key_id uuid PRIMARY KEY,
    last_used_at timestamptz NOT NULL
) WITH (fillfactor = 50);
