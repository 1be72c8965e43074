-- What stands between a run and its next phase. `approvals_outstanding` follows the approvals that
-- were given; the others are settled when the run is made and when its plan ends.
ALTER TABLE runs ADD COLUMN pre_plan_gate BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN cost_gate BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN policy_gate BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE runs ADD COLUMN approvals_outstanding BOOLEAN NOT NULL DEFAULT FALSE;
-- Until when the process that evaluates a gate of this run need not be doubted.
ALTER TABLE runs ADD COLUMN gate_claimed_until TIMESTAMPTZ;
CREATE INDEX runs_at_gate ON runs (changed_at, id)
    WHERE status IN ('pre_plan_running', 'cost_estimating', 'policy_checking');

-- One check of a run by all policy groups of a stage that were in force when it was made.
CREATE TABLE policy_checks (
    run_id             TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    stage              TEXT NOT NULL,
    account_id         TEXT NOT NULL REFERENCES accounts (id),
    status             TEXT NOT NULL,
    -- Why the check as a whole could not be made.
    error              TEXT,
    -- Milliseconds that the policies took.
    duration_ms        BIGINT,
    overridden_by_id   TEXT,
    overridden_by_name TEXT,
    override_comment   TEXT,
    timestamps         JSONB NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run_id, stage)
);
CREATE INDEX policy_checks_account ON policy_checks (account_id, run_id);

-- One policy's word in a check.
CREATE TABLE policy_results (
    id            TEXT PRIMARY KEY NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    run_id        TEXT NOT NULL,
    stage         TEXT NOT NULL,
    position      BIGINT NOT NULL,
    group_id      TEXT NOT NULL,
    group_name    TEXT NOT NULL,
    revision_id   TEXT NOT NULL,
    -- Whether the group is a policy set whose mandatory policies can be overridden.
    overridable   BOOLEAN NOT NULL,
    verdict       JSONB NOT NULL,
    UNIQUE (run_id, stage, position),
    FOREIGN KEY (run_id, stage) REFERENCES policy_checks (run_id, stage) ON DELETE CASCADE
);
CREATE INDEX policy_results_group ON policy_results (account_id, group_id);

-- What the policies of a stage see of a run: made once, so that the same question has the same
-- answer whenever it is asked again.
CREATE TABLE policy_inputs (
    run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    stage        TEXT NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    -- The sanitised plan; none before the plan.
    plan_blob_id TEXT,
    facts        JSONB NOT NULL,
    digest       TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run_id, stage)
);
CREATE INDEX policy_inputs_account ON policy_inputs (account_id, run_id);
