-- One schema for both databases. PostgreSQL reads the type names as they stand; SQLite ignores them
-- except for affinity, which leaves RFC 3339 text, JSON objects and arrays, and bytes alone. JSON
-- columns therefore always hold an object or an array. Every row below an account carries its
-- account_id, first in every index that a tenant's query uses.

-- ── installation ───────────────────────────────────────────────────────────────────────────────

-- Secrets of the whole installation (runner CA, QUIC reset keys), sealed under the installation key.
CREATE TABLE installation_secrets (
    name       TEXT PRIMARY KEY NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- ── tenancy ────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE accounts (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    is_default BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- Data keys of an account, wrapped by the installation key; the newest unretired one seals.
CREATE TABLE account_keys (
    id         TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    wrapped    BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    retired_at TIMESTAMPTZ
);
CREATE INDEX account_keys_account ON account_keys (account_id, created_at);

-- Key pairs that runners seal state journals to; the private half is sealed under the account key.
CREATE TABLE journal_keys (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    public_key     BYTEA NOT NULL,
    sealed_private BYTEA NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX journal_keys_account ON journal_keys (account_id, created_at);

CREATE TABLE environments (
    id         TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name       TEXT NOT NULL,
    email      TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);

CREATE TABLE projects (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    environment_id TEXT NOT NULL REFERENCES environments (id),
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    is_default     BOOLEAN NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    UNIQUE (environment_id, name)
);
CREATE UNIQUE INDEX projects_one_default ON projects (environment_id) WHERE is_default;

-- ── identity ───────────────────────────────────────────────────────────────────────────────────

CREATE TABLE users (
    id            TEXT PRIMARY KEY NOT NULL,
    username      TEXT NOT NULL UNIQUE,
    email         TEXT NOT NULL,
    password_hash TEXT,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE memberships (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    user_id    TEXT NOT NULL REFERENCES users (id),
    role       TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, user_id)
);

-- API tokens, by the SHA-256 of their text. A run's token names its job and epoch.
CREATE TABLE tokens (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    kind         TEXT NOT NULL,
    user_id      TEXT REFERENCES users (id),
    run_id       TEXT,
    job_id       TEXT,
    epoch        BIGINT,
    hash         TEXT NOT NULL UNIQUE,
    last_six     TEXT NOT NULL,
    description  TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ
);
CREATE INDEX tokens_user ON tokens (account_id, user_id);
CREATE INDEX tokens_job ON tokens (account_id, job_id);

-- Signed-in browsers, by the SHA-256 of their cookie.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id),
    hash       TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

-- Authorization codes of `terraform login`, by their SHA-256; each is used once.
CREATE TABLE authorization_codes (
    hash           TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    user_id        TEXT NOT NULL REFERENCES users (id),
    client_id      TEXT NOT NULL,
    redirect_uri   TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL
);

-- ── audit and outbox ───────────────────────────────────────────────────────────────────────────

CREATE TABLE audit_records (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    at             TIMESTAMPTZ NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT NOT NULL,
    actor_name     TEXT NOT NULL,
    token_last_six TEXT,
    action         TEXT NOT NULL,
    target_kind    TEXT NOT NULL,
    target_id      TEXT NOT NULL,
    environment_id TEXT,
    workspace_id   TEXT,
    outcome        TEXT NOT NULL,
    source_address TEXT,
    request_id     TEXT NOT NULL,
    detail         JSONB NOT NULL
);
CREATE INDEX audit_records_account ON audit_records (account_id, at);

CREATE TABLE outbox (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    kind         TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    payload      JSONB NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    delivered_at TIMESTAMPTZ
);
CREATE INDEX outbox_waiting ON outbox (created_at, id) WHERE delivered_at IS NULL;

-- ── workspaces ─────────────────────────────────────────────────────────────────────────────────

CREATE TABLE workspaces (
    id                       TEXT PRIMARY KEY NOT NULL,
    account_id               TEXT NOT NULL REFERENCES accounts (id),
    environment_id           TEXT NOT NULL REFERENCES environments (id),
    project_id               TEXT NOT NULL REFERENCES projects (id),
    name                     TEXT NOT NULL,
    settings                 JSONB NOT NULL,
    git                      JSONB,
    sealed_git_token         BYTEA,
    pool_id                  TEXT,
    lock_kind                TEXT,
    lock_holder_id           TEXT,
    lock_holder_name         TEXT,
    lock_reason              TEXT,
    locked_at                TIMESTAMPTZ,
    current_run_id           TEXT,
    current_state_version_id TEXT,
    current_configuration_version_id TEXT,
    last_run_number          BIGINT NOT NULL,
    last_state_number        BIGINT NOT NULL,
    resource_count           BIGINT NOT NULL,
    version                  BIGINT NOT NULL,
    created_at               TIMESTAMPTZ NOT NULL,
    updated_at               TIMESTAMPTZ NOT NULL,
    UNIQUE (environment_id, name)
);
CREATE INDEX workspaces_account ON workspaces (account_id, environment_id);

CREATE TABLE tag_bindings (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    value        TEXT NOT NULL,
    UNIQUE (workspace_id, key)
);
CREATE INDEX tag_bindings_key ON tag_bindings (account_id, key, value);

CREATE TABLE variables (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    category     TEXT NOT NULL,
    key          TEXT NOT NULL,
    sealed_value BYTEA NOT NULL,
    description  TEXT NOT NULL,
    hcl          BOOLEAN NOT NULL,
    sensitive    BOOLEAN NOT NULL,
    version      BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (workspace_id, category, key)
);

-- ── runners ────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE runner_pools (
    id              TEXT PRIMARY KEY NOT NULL,
    account_id      TEXT NOT NULL REFERENCES accounts (id),
    name            TEXT NOT NULL,
    is_default      BOOLEAN NOT NULL,
    minimum_sandbox TEXT NOT NULL,
    refuse_reachable_metadata BOOLEAN NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);
CREATE UNIQUE INDEX runner_pools_one_default ON runner_pools (account_id) WHERE is_default;

CREATE TABLE join_tokens (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    pool_id     TEXT NOT NULL REFERENCES runner_pools (id),
    hash        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    single_use  BOOLEAN NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ,
    used_at     TIMESTAMPTZ,
    revoked_at  TIMESTAMPTZ
);

CREATE TABLE runners (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    pool_id        TEXT NOT NULL REFERENCES runner_pools (id),
    name           TEXT NOT NULL,
    labels         JSONB NOT NULL,
    capabilities   JSONB NOT NULL,
    software       TEXT NOT NULL,
    capacity       BIGINT NOT NULL,
    public_key     BYTEA NOT NULL,
    cert_serial    TEXT NOT NULL,
    cert_not_after TIMESTAMPTZ NOT NULL,
    transport      TEXT,
    remote_address TEXT,
    connected_at   TIMESTAMPTZ,
    last_seen_at   TIMESTAMPTZ,
    revoked_at     TIMESTAMPTZ,
    created_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX runners_pool ON runners (account_id, pool_id);

-- ── runs ───────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE configuration_versions (
    id              TEXT PRIMARY KEY NOT NULL,
    account_id      TEXT NOT NULL REFERENCES accounts (id),
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    status          TEXT NOT NULL,
    source          TEXT NOT NULL,
    speculative     BOOLEAN NOT NULL,
    provisional     BOOLEAN NOT NULL,
    auto_queue_runs BOOLEAN NOT NULL,
    blob_id         TEXT,
    size            BIGINT,
    sha256          TEXT,
    git             JSONB,
    error_message   TEXT,
    timestamps      JSONB NOT NULL,
    created_by      TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX configuration_versions_workspace ON configuration_versions (account_id, workspace_id, created_at);

CREATE TABLE runs (
    id                       TEXT PRIMARY KEY NOT NULL,
    account_id               TEXT NOT NULL REFERENCES accounts (id),
    environment_id           TEXT NOT NULL REFERENCES environments (id),
    workspace_id             TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    configuration_version_id TEXT NOT NULL REFERENCES configuration_versions (id) ON DELETE CASCADE,
    plan_id                  TEXT NOT NULL UNIQUE,
    apply_id                 TEXT NOT NULL UNIQUE,
    number                   BIGINT NOT NULL,
    version                  BIGINT NOT NULL,
    status                   TEXT NOT NULL,
    plan_status              TEXT NOT NULL,
    apply_status             TEXT NOT NULL,
    holds_workspace          BOOLEAN NOT NULL,
    -- What was asked for: message, targets, replaces, flags. Never changes.
    request                  JSONB NOT NULL,
    sealed_variables         BYTEA,
    plan_only                BOOLEAN NOT NULL,
    source                   TEXT NOT NULL,
    -- What came out: counts, has_changes, versions.
    plan_result              JSONB,
    apply_result             JSONB,
    error                    TEXT,
    state_uncertain          BOOLEAN NOT NULL,
    wait_reason              JSONB,
    cancel_requested_at      TIMESTAMPTZ,
    timestamps               JSONB NOT NULL,
    plan_archive_blob_id     TEXT,
    plan_json_blob_id        TEXT,
    plan_redacted_blob_id    TEXT,
    plan_schemas_blob_id     TEXT,
    created_by_kind          TEXT NOT NULL,
    created_by_id            TEXT NOT NULL,
    created_by_name          TEXT NOT NULL,
    confirmed_by_id          TEXT,
    created_at               TIMESTAMPTZ NOT NULL,
    changed_at               TIMESTAMPTZ NOT NULL,
    UNIQUE (workspace_id, number)
);
CREATE INDEX runs_workspace ON runs (account_id, workspace_id, number);
CREATE INDEX runs_environment ON runs (account_id, environment_id, created_at);
CREATE INDEX runs_open ON runs (workspace_id, number) WHERE status NOT IN
    ('planned_and_finished', 'applied', 'errored', 'canceled', 'discarded', 'policy_soft_failed');
-- One state-changing run per workspace, whatever the code above it does.
CREATE UNIQUE INDEX runs_one_holder ON runs (workspace_id) WHERE holds_workspace;

CREATE TABLE run_events (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    action      TEXT NOT NULL,
    from_status TEXT,
    to_status   TEXT NOT NULL,
    actor_kind  TEXT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    comment     TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (run_id, position)
);

CREATE TABLE jobs (
    id               TEXT PRIMARY KEY NOT NULL,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    environment_id   TEXT NOT NULL REFERENCES environments (id),
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    run_id           TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind             TEXT NOT NULL,
    pool_id          TEXT NOT NULL REFERENCES runner_pools (id),
    status           TEXT NOT NULL,
    priority         BIGINT NOT NULL,
    attempt          BIGINT NOT NULL,
    -- The fencing number: raised by every offer; every write under the lease carries it.
    epoch            BIGINT NOT NULL,
    runner_id        TEXT REFERENCES runners (id),
    directive        TEXT NOT NULL,
    stage            TEXT,
    executor         TEXT,
    offered_at       TIMESTAMPTZ,
    leased_at        TIMESTAMPTZ,
    lease_expires_at TIMESTAMPTZ,
    silent_since     TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL,
    finished_at      TIMESTAMPTZ,
    outcome          JSONB,
    -- A recovery grant: until when a returning runner may still upload after its lease has ended.
    recovery_until   TIMESTAMPTZ
);
CREATE INDEX jobs_queue ON jobs (pool_id, priority, created_at, id) WHERE status = 'queued';
CREATE INDEX jobs_held ON jobs (runner_id, status);
CREATE INDEX jobs_deadline ON jobs (lease_expires_at) WHERE status IN ('offered', 'leased', 'out-of-contact');
CREATE INDEX jobs_run ON jobs (account_id, run_id);

-- ── logs ───────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE logs (
    id         TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    phase      TEXT NOT NULL,
    stream     TEXT NOT NULL,
    size       BIGINT NOT NULL,
    complete   BOOLEAN NOT NULL,
    blob_id    TEXT,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (run_id, phase, stream)
);
CREATE INDEX logs_uncompacted ON logs (updated_at) WHERE complete AND blob_id IS NULL;

CREATE TABLE log_chunks (
    log_id     TEXT NOT NULL REFERENCES logs (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    position   BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    sealed     BYTEA NOT NULL,
    PRIMARY KEY (log_id, position)
);

-- ── state ──────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE state_versions (
    id                TEXT PRIMARY KEY NOT NULL,
    account_id        TEXT NOT NULL REFERENCES accounts (id),
    workspace_id      TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- Order of arrival in the workspace: serials jump, and may repeat after a forced push.
    number            BIGINT NOT NULL,
    status            TEXT NOT NULL,
    serial            BIGINT NOT NULL,
    lineage           TEXT NOT NULL,
    md5               TEXT NOT NULL,
    sha256            TEXT,
    size              BIGINT,
    blob_id           TEXT,
    json_blob_id      TEXT,
    terraform_version TEXT,
    intermediate      BOOLEAN NOT NULL,
    run_id            TEXT,
    rollback_of       TEXT,
    -- Why it did not become the current state: a stale epoch, another lineage, an older serial.
    quarantine_reason TEXT,
    summary           JSONB,
    -- Whether the client meant to replace whatever is there.
    forced            BOOLEAN NOT NULL,
    -- The outputs as the client announced them, sealed: for states that only the client can read.
    sealed_outputs    BYTEA,
    created_by_kind   TEXT NOT NULL,
    created_by_id     TEXT NOT NULL,
    created_at        TIMESTAMPTZ NOT NULL,
    UNIQUE (workspace_id, number)
);
CREATE INDEX state_versions_pending ON state_versions (created_at) WHERE status = 'pending';
CREATE INDEX state_versions_workspace ON state_versions (account_id, workspace_id, number);
CREATE INDEX state_versions_run ON state_versions (account_id, run_id);

CREATE TABLE state_outputs (
    id               TEXT PRIMARY KEY NOT NULL,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    state_version_id TEXT NOT NULL REFERENCES state_versions (id) ON DELETE CASCADE,
    name             TEXT NOT NULL,
    sensitive        BOOLEAN NOT NULL,
    type             TEXT NOT NULL,
    -- {"type": …}: a cty type in JSON may be a bare string, and JSON columns hold objects.
    detailed_type    JSONB NOT NULL,
    sealed_value     BYTEA NOT NULL,
    UNIQUE (state_version_id, name)
);

-- Blobs, each in its row before it is in the object store; what nobody owns after a while is swept.
CREATE TABLE blobs (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    kind        TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    size        BIGINT NOT NULL,
    sha256      TEXT NOT NULL,
    md5         TEXT NOT NULL,
    stored_size BIGINT NOT NULL,
    -- False until all of it is in the object store.
    complete    BOOLEAN NOT NULL,
    -- Since when nobody owns it; null: somebody does.
    orphan_since TIMESTAMPTZ,
    -- The sweep is deleting it: nobody can own it any more.
    doomed      BOOLEAN NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX blobs_orphans ON blobs (orphan_since) WHERE orphan_since IS NOT NULL;
