-- Policy groups. What a group decides by is one of its revisions: the newest that was found good. No
-- reference goes from the group to its revisions, because they refer to it.
CREATE TABLE policy_groups (
    id                 TEXT PRIMARY KEY NOT NULL,
    account_id         TEXT NOT NULL REFERENCES accounts (id),
    -- The environment through which it was made: clients ask for the organization of a policy set.
    environment_id     TEXT,
    name               TEXT NOT NULL,
    description        TEXT NOT NULL,
    stage              TEXT NOT NULL,
    source             TEXT NOT NULL,
    -- Kind, dialect, folders: how the next revision is read.
    layout             JSONB NOT NULL,
    git                JSONB,
    sealed_git_token   BYTEA,
    pool_id            TEXT REFERENCES runner_pools (id),
    -- In force in every workspace of the account.
    enforced           BOOLEAN NOT NULL,
    overridable        BOOLEAN NOT NULL,
    -- Made of policies of its own that have changed since its newest revision.
    stale              BOOLEAN NOT NULL,
    last_number        BIGINT NOT NULL,
    newest_revision_id TEXT,
    good_revision_id   TEXT,
    version            BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);
CREATE INDEX policy_groups_stage ON policy_groups (account_id, stage) WHERE good_revision_id IS NOT NULL;
CREATE INDEX policy_groups_stale ON policy_groups (id) WHERE stale;
CREATE INDEX policy_groups_pool ON policy_groups (pool_id) WHERE pool_id IS NOT NULL;

-- Where a group is in force, or (excluded) is not. target_id is the one of the three that is set.
CREATE TABLE policy_bindings (
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    group_id       TEXT NOT NULL REFERENCES policy_groups (id) ON DELETE CASCADE,
    target_id      TEXT NOT NULL,
    excluded       BOOLEAN NOT NULL,
    environment_id TEXT REFERENCES environments (id) ON DELETE CASCADE,
    project_id     TEXT REFERENCES projects (id) ON DELETE CASCADE,
    workspace_id   TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, target_id, excluded)
);
CREATE INDEX policy_bindings_target ON policy_bindings (account_id, target_id);

-- One snapshot of a group's files, and what was found in it.
CREATE TABLE policy_revisions (
    id            TEXT PRIMARY KEY NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    group_id      TEXT NOT NULL REFERENCES policy_groups (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    status        TEXT NOT NULL,
    source        TEXT NOT NULL,
    layout        JSONB NOT NULL,
    blob_id       TEXT REFERENCES blobs (id),
    size          BIGINT,
    sha256        TEXT,
    commit_info   JSONB,
    error_message TEXT,
    counts        JSONB,
    findings      JSONB,
    created_by    TEXT NOT NULL,
    timestamps    JSONB NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    UNIQUE (group_id, number)
);
CREATE INDEX policy_revisions_group ON policy_revisions (account_id, group_id, number);
CREATE INDEX policy_revisions_checking ON policy_revisions (created_at, id) WHERE status = 'checking';

-- data.parameters of a group.
CREATE TABLE policy_parameters (
    id           TEXT PRIMARY KEY NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    group_id     TEXT NOT NULL REFERENCES policy_groups (id) ON DELETE CASCADE,
    key          TEXT NOT NULL,
    sealed_value BYTEA NOT NULL,
    sensitive    BOOLEAN NOT NULL,
    version      BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (group_id, key)
);
CREATE INDEX policy_parameters_group ON policy_parameters (account_id, group_id);

-- Policies that are uploaded one by one and put into groups.
CREATE TABLE policies (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    environment_id TEXT,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    query          TEXT NOT NULL,
    level          TEXT NOT NULL,
    sealed_text    BYTEA,
    version        BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);

CREATE TABLE policy_members (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    group_id   TEXT NOT NULL REFERENCES policy_groups (id) ON DELETE CASCADE,
    policy_id  TEXT NOT NULL REFERENCES policies (id),
    PRIMARY KEY (group_id, policy_id)
);
CREATE INDEX policy_members_policy ON policy_members (account_id, policy_id);

-- data.account: facts from outside, as the account's policies see them.
CREATE TABLE policy_documents (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    size        BIGINT NOT NULL,
    sha256      TEXT NOT NULL,
    sealed_body BYTEA NOT NULL,
    version     BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);
