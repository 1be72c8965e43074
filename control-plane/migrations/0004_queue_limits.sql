-- How many jobs of an environment may be at work at a time; null: as many as the account may have.
ALTER TABLE environments ADD COLUMN max_concurrent_runs BIGINT;

-- The head of each account's and environment's queue, and who has how many jobs at work.
CREATE INDEX jobs_queue_heads
    ON jobs (pool_id, priority, account_id, environment_id, created_at, id) WHERE status = 'queued';
CREATE INDEX jobs_at_work ON jobs (account_id, environment_id)
    WHERE status IN ('offered', 'leased', 'out-of-contact');
