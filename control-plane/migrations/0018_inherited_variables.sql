-- Variables of accounts and environments, which their workspaces inherit.
CREATE TABLE variables_anew (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    -- Of neither: of the account. Never of both.
    environment_id TEXT REFERENCES environments (id) ON DELETE CASCADE,
    workspace_id   TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    category       TEXT NOT NULL,
    key            TEXT NOT NULL,
    sealed_value   BYTEA NOT NULL,
    description    TEXT NOT NULL,
    hcl            BOOLEAN NOT NULL,
    sensitive      BOOLEAN NOT NULL,
    -- Whether nothing below may override it.
    is_final       BOOLEAN NOT NULL,
    version        BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);
INSERT INTO variables_anew (id, account_id, environment_id, workspace_id, category, key,
        sealed_value, description, hcl, sensitive, is_final, version, created_at, updated_at)
    SELECT id, account_id, NULL, workspace_id, category, key, sealed_value, description, hcl,
        sensitive, FALSE, version, created_at, updated_at
    FROM variables;
DROP TABLE variables;
ALTER TABLE variables_anew RENAME TO variables;
CREATE UNIQUE INDEX variables_of_account ON variables (account_id, category, key)
    WHERE environment_id IS NULL AND workspace_id IS NULL;
CREATE UNIQUE INDEX variables_of_environment ON variables (environment_id, category, key)
    WHERE environment_id IS NOT NULL;
CREATE UNIQUE INDEX variables_of_workspace ON variables (workspace_id, category, key)
    WHERE workspace_id IS NOT NULL;
