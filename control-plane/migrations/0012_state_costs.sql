-- What a state costs: one row for each that was priced. Money is decimal text: neither database adds
-- it up.
CREATE TABLE state_costs (
    state_version_id TEXT PRIMARY KEY NOT NULL REFERENCES state_versions (id) ON DELETE CASCADE,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    environment_id   TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- Of the state version; the newest has the highest.
    number           BIGINT NOT NULL,
    -- Since when it has been the current state, and that day (UTC) counted from 1970-01-01.
    since            TIMESTAMPTZ NOT NULL,
    day              BIGINT NOT NULL,
    status           TEXT NOT NULL,
    monthly          TEXT,
    hourly           TEXT,
    usage_monthly    TEXT,
    -- Resources by status.
    counts           JSONB NOT NULL,
    -- Keys of tags that have no parts.
    omitted_tags     BIGINT NOT NULL,
    -- Why it can't be priced.
    error            TEXT,
    -- The prices that its own were taken from.
    price_book       TEXT,
    -- What it was priced with: book and rules of the installation, and how often what the account
    -- assumes had changed. It is priced anew while it is current and either differs.
    basis            TEXT,
    revision         BIGINT NOT NULL,
    priced_at        TIMESTAMPTZ,
    -- Until when the process that works on it need not be doubted; its result counts only while the
    -- claim is the latest.
    claimed_until    TIMESTAMPTZ,
    claim            BIGINT NOT NULL,
    -- How often a process has not come back from it.
    losses           BIGINT NOT NULL
);
CREATE UNIQUE INDEX state_costs_workspace ON state_costs (account_id, workspace_id, number);
CREATE INDEX state_costs_day ON state_costs (account_id, workspace_id, day);

-- Subtotals of a state: by module, and by the value of a tag.
CREATE TABLE state_cost_parts (
    state_version_id TEXT NOT NULL REFERENCES state_costs (state_version_id) ON DELETE CASCADE,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    kind             TEXT NOT NULL,
    -- The tag; empty for modules.
    key              TEXT NOT NULL,
    name             TEXT NOT NULL,
    -- All that are not told apart any more.
    remainder        BOOLEAN NOT NULL,
    monthly          TEXT NOT NULL,
    hourly           TEXT NOT NULL,
    usage_monthly    TEXT NOT NULL,
    resources        BIGINT NOT NULL,
    unmatched        BIGINT NOT NULL,
    PRIMARY KEY (state_version_id, kind, key, remainder, name)
);

-- How often the prices or the usage of an account, an environment or a workspace have changed. Rows
-- stay, so that the sum of several never comes back to what it was.
CREATE TABLE cost_revisions (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    subject_id TEXT NOT NULL,
    revision   BIGINT NOT NULL,
    PRIMARY KEY (account_id, subject_id)
);

CREATE INDEX state_versions_finalized ON state_versions (created_at) WHERE status = 'finalized';
