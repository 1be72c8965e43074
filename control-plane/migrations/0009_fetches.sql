-- Repositories that runners fetch for something other than a run. The work is a job in the same
-- queue; this row outlives it and says what became of it.
CREATE TABLE fetches (
    id            TEXT PRIMARY KEY NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    owner_kind    TEXT NOT NULL,
    owner_id      TEXT NOT NULL,
    pool_id       TEXT NOT NULL REFERENCES runner_pools (id),
    git           JSONB NOT NULL,
    -- Pinned; null: whatever the reference is when it is fetched.
    commit_id     TEXT,
    -- Removed when the fetch has ended.
    sealed_token  BYTEA,
    status        TEXT NOT NULL,
    -- How often a runner has been lost with it.
    losses        BIGINT NOT NULL,
    -- What was fetched: commit, author, message, branch.
    fetched       JSONB,
    blob_id       TEXT,
    error_message TEXT,
    created_at    TIMESTAMPTZ NOT NULL,
    ended_at      TIMESTAMPTZ
);
CREATE INDEX fetches_owner ON fetches (account_id, owner_kind, owner_id, created_at);
CREATE INDEX fetches_waiting ON fetches (created_at) WHERE status = 'waiting';

-- A job belongs to a run or to a fetch. Both databases can replace a column; only one of them can
-- take away its NOT NULL.
DROP INDEX jobs_run;
DROP INDEX jobs_queue_heads;
DROP INDEX jobs_at_work;
ALTER TABLE jobs ADD COLUMN fetch_id TEXT REFERENCES fetches (id) ON DELETE CASCADE;

ALTER TABLE jobs RENAME COLUMN environment_id TO old_environment_id;
ALTER TABLE jobs ADD COLUMN environment_id TEXT REFERENCES environments (id);
UPDATE jobs SET environment_id = old_environment_id;
ALTER TABLE jobs DROP COLUMN old_environment_id;

ALTER TABLE jobs RENAME COLUMN workspace_id TO old_workspace_id;
ALTER TABLE jobs ADD COLUMN workspace_id TEXT REFERENCES workspaces (id) ON DELETE CASCADE;
UPDATE jobs SET workspace_id = old_workspace_id;
ALTER TABLE jobs DROP COLUMN old_workspace_id;

ALTER TABLE jobs RENAME COLUMN run_id TO old_run_id;
ALTER TABLE jobs ADD COLUMN run_id TEXT REFERENCES runs (id) ON DELETE CASCADE;
UPDATE jobs SET run_id = old_run_id;
ALTER TABLE jobs DROP COLUMN old_run_id;

CREATE INDEX jobs_run ON jobs (account_id, run_id);
CREATE INDEX jobs_queue_heads
    ON jobs (pool_id, priority, account_id, environment_id, created_at, id) WHERE status = 'queued';
CREATE INDEX jobs_at_work ON jobs (account_id, environment_id)
    WHERE status IN ('offered', 'leased', 'out-of-contact');
-- One job of a fetch at a time, whatever the code above it does.
CREATE UNIQUE INDEX jobs_one_of_fetch ON jobs (fetch_id)
    WHERE fetch_id IS NOT NULL AND status IN ('queued', 'offered', 'leased', 'out-of-contact');
