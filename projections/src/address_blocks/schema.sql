CREATE TABLE address_blocks (
    block_id uuid PRIMARY KEY,
    network text NOT NULL,
    reason text NOT NULL,
    until timestamptz,
    blocked_at timestamptz NOT NULL,
    blocked_by text NOT NULL,
    lifted_at timestamptz
);
CREATE INDEX address_blocks_in_force ON address_blocks (block_id) WHERE lifted_at IS NULL;
