-- What the plan of a run costs. Money is decimal text: neither database adds it up.
CREATE TABLE cost_estimates (
    id               TEXT PRIMARY KEY NOT NULL,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    environment_id   TEXT NOT NULL REFERENCES environments (id),
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    run_id           TEXT NOT NULL UNIQUE REFERENCES runs (id) ON DELETE CASCADE,
    status           TEXT NOT NULL,
    prior_monthly    TEXT,
    proposed_monthly TEXT,
    delta_monthly    TEXT,
    -- Proposed resources by status.
    counts           JSONB NOT NULL,
    -- The first resources with and without a price, for answers that don't open the report.
    resources        JSONB NOT NULL,
    price_book       TEXT,
    -- The limits that were broken, with what was said about each.
    broken_limits    JSONB NOT NULL,
    report_blob_id   TEXT,
    error            TEXT,
    timestamps       JSONB NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL
);
CREATE INDEX cost_estimates_workspace ON cost_estimates (account_id, workspace_id, created_at);

-- What a workspace may cost. Without a workspace: every workspace of the environment.
CREATE TABLE cost_limits (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    environment_id TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    workspace_id   TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    monthly        TEXT,
    increase       TEXT,
    action         TEXT NOT NULL,
    message        TEXT NOT NULL,
    version        BIGINT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX cost_limits_environment ON cost_limits (account_id, environment_id, workspace_id);

-- Discounts and fixed prices of an account.
CREATE TABLE cost_adjustments (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    kind        TEXT NOT NULL,
    -- A resource type, a prefix with a star, or an address.
    subject     TEXT NOT NULL,
    amount      TEXT NOT NULL,
    description TEXT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, kind, subject)
);

-- Files that estimates are made with: usage of an environment or a workspace, price rows of an account.
CREATE TABLE cost_files (
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    -- The account, environment or workspace that it is for.
    subject_id     TEXT NOT NULL,
    environment_id TEXT REFERENCES environments (id) ON DELETE CASCADE,
    workspace_id   TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    content        TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    updated_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, subject_id)
);
