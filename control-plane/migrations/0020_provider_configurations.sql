-- Access to clouds and the like, which runs receive.
CREATE TABLE provider_configurations (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    -- Without one it belongs to the account, and may be shared.
    environment_id TEXT REFERENCES environments (id) ON DELETE CASCADE,
    name           TEXT NOT NULL,
    provider       TEXT NOT NULL,
    method         TEXT NOT NULL,
    settings       JSONB NOT NULL,
    -- Names of the secrets, which are never shown; and all of them, sealed.
    secret_names   JSONB NOT NULL,
    sealed_secrets BYTEA NOT NULL,
    apply_only     BOOLEAN NOT NULL,
    -- Whether workspaces that have no other one for the provider receive it.
    is_default     BOOLEAN NOT NULL,
    -- Whether every environment of the account may use it.
    is_shared      BOOLEAN NOT NULL,
    version        BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);
CREATE INDEX provider_configurations_environment ON provider_configurations (environment_id)
    WHERE environment_id IS NOT NULL;

-- Environments that may use a configuration of the account which is not shared with all.
CREATE TABLE provider_configuration_environments (
    configuration_id TEXT NOT NULL REFERENCES provider_configurations (id) ON DELETE CASCADE,
    environment_id   TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (configuration_id, environment_id)
);
CREATE INDEX provider_configuration_environments_environment
    ON provider_configuration_environments (environment_id);

-- Workspaces that use a configuration. The empty alias is the provider itself.
CREATE TABLE provider_configuration_links (
    id               TEXT PRIMARY KEY NOT NULL,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    configuration_id TEXT NOT NULL REFERENCES provider_configurations (id),
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    alias            TEXT NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    UNIQUE (workspace_id, configuration_id, alias)
);
CREATE INDEX provider_configuration_links_configuration
    ON provider_configuration_links (configuration_id);
