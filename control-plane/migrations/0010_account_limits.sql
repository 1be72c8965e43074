-- How many jobs of an account may be at work at a time; 0: any number, null: as the installation says.
ALTER TABLE accounts ADD COLUMN max_concurrent_runs BIGINT;
