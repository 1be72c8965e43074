-- Keys that sign what a run says about itself to a cloud. Each account is an issuer of its own.
CREATE TABLE identity_keys (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    -- PKCS #1, DER.
    sealed_key  BYTEA NOT NULL,
    -- The public half, as a JSON Web Key.
    public_key  JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    -- From then on it signs, as long as there is no younger one: who verifies has seen it by then.
    signs_from  TIMESTAMPTZ NOT NULL,
    -- Until then it is published after a younger one has taken over.
    retired_at  TIMESTAMPTZ
);
CREATE INDEX identity_keys_account ON identity_keys (account_id, signs_from);
