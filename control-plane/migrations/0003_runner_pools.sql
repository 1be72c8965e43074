-- The environment through which a pool was made: clients ask for the organization of a pool. A pool
-- that is deleted keeps its row, because jobs that it executed refer to it.
ALTER TABLE runner_pools ADD COLUMN environment_id TEXT;
ALTER TABLE runner_pools ADD COLUMN deleted_at TIMESTAMPTZ;

-- The end of a join token, to tell it from others, and who made it.
ALTER TABLE join_tokens ADD COLUMN last_six TEXT;
ALTER TABLE join_tokens ADD COLUMN created_by TEXT;
CREATE INDEX join_tokens_pool ON join_tokens (account_id, pool_id, created_at);

CREATE INDEX workspaces_pool ON workspaces (pool_id) WHERE pool_id IS NOT NULL;
