-- The hash chain of each account's audit records: where it ends, and what retention has removed of it.
-- The row is made when the first record of an account is sealed.
CREATE TABLE audit_chains (
    account_id       TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id),
    -- Of the last record that is sealed; 0 before the first.
    sequence         BIGINT NOT NULL,
    hash             TEXT NOT NULL,
    sealed_at        TIMESTAMPTZ,
    -- Of the last record that retention has removed; 0 before the first.
    removed_sequence BIGINT NOT NULL,
    removed_hash     TEXT NOT NULL,
    removed_at       TIMESTAMPTZ,
    -- NULL: what the installation says.
    retention_days   BIGINT
);

-- A record's place in the chain of its account, given by the sealer soon after it was written.
ALTER TABLE audit_records ADD COLUMN sequence BIGINT;
ALTER TABLE audit_records ADD COLUMN hash TEXT;
-- SHA-256 of what was changed, before and after, where the change says so.
ALTER TABLE audit_records ADD COLUMN before_digest TEXT;
ALTER TABLE audit_records ADD COLUMN after_digest TEXT;
CREATE UNIQUE INDEX audit_records_sequence ON audit_records (account_id, sequence)
    WHERE sequence IS NOT NULL;
CREATE INDEX audit_records_unsealed ON audit_records (account_id, at, id) WHERE sequence IS NULL;

-- Where an account's records are sent as they are sealed.
CREATE TABLE audit_streams (
    id                 TEXT PRIMARY KEY NOT NULL,
    account_id         TEXT NOT NULL REFERENCES accounts (id),
    name               TEXT NOT NULL,
    kind               TEXT NOT NULL,
    settings           JSONB NOT NULL,
    sealed_secret      BYTEA NOT NULL,
    paused             BOOLEAN NOT NULL,
    -- Of the last record that has arrived.
    delivered_sequence BIGINT NOT NULL,
    delivered_at       TIMESTAMPTZ,
    failures           BIGINT NOT NULL,
    last_error         TEXT,
    failed_at          TIMESTAMPTZ,
    next_attempt_at    TIMESTAMPTZ NOT NULL,
    claim              BIGINT NOT NULL,
    version            BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);
