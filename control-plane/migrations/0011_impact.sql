-- A revision that somebody asks about: checked like any other, never put in force by itself.
ALTER TABLE policy_revisions ADD COLUMN proposed BOOLEAN NOT NULL DEFAULT FALSE;

-- What a proposed revision of a policy group would say about the latest planned runs.
CREATE TABLE impact_analyses (
    id               TEXT PRIMARY KEY NOT NULL,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    group_id         TEXT NOT NULL REFERENCES policy_groups (id) ON DELETE CASCADE,
    revision_id      TEXT NOT NULL REFERENCES policy_revisions (id) ON DELETE CASCADE,
    -- What it is compared with: the revision in force when it began.
    base_revision_id TEXT,
    status           TEXT NOT NULL,
    error_message    TEXT,
    -- Until when the process that works on it need not be doubted.
    claimed_until    TIMESTAMPTZ,
    created_by       TEXT NOT NULL,
    created_at       TIMESTAMPTZ NOT NULL,
    started_at       TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ
);
CREATE INDEX impact_analyses_group ON impact_analyses (account_id, group_id, created_at);
CREATE INDEX impact_analyses_open ON impact_analyses (created_at, id)
    WHERE status IN ('pending', 'running');

-- The policies of both revisions; what is null is not in that revision, or disabled.
CREATE TABLE impact_policies (
    analysis_id   TEXT NOT NULL REFERENCES impact_analyses (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    before_level  TEXT,
    before_digest TEXT,
    -- Why it can't be evaluated.
    before_error  TEXT,
    after_level   TEXT,
    after_digest  TEXT,
    after_error   TEXT,
    PRIMARY KEY (analysis_id, name)
);
CREATE INDEX impact_policies_before ON impact_policies (account_id, before_digest);
CREATE INDEX impact_policies_after ON impact_policies (account_id, after_digest);

-- The runs that are looked at, with their places' names as they were.
CREATE TABLE impact_runs (
    analysis_id      TEXT NOT NULL REFERENCES impact_analyses (id) ON DELETE CASCADE,
    run_id           TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    environment_id   TEXT NOT NULL,
    environment_name TEXT NOT NULL,
    workspace_id     TEXT NOT NULL,
    workspace_name   TEXT NOT NULL,
    run_created_at   TIMESTAMPTZ NOT NULL,
    status           TEXT NOT NULL,
    -- Why it can't be judged.
    reason           TEXT,
    -- Digests of what the policies of either revision see of it.
    before_input     TEXT,
    after_input      TEXT,
    evaluated        BIGINT NOT NULL,
    known            BIGINT NOT NULL,
    newly_failing    BIGINT NOT NULL,
    newly_passing    BIGINT NOT NULL,
    changed          BIGINT NOT NULL,
    PRIMARY KEY (analysis_id, run_id)
);
CREATE INDEX impact_runs_run ON impact_runs (run_id);

-- One field of the matrix.
CREATE TABLE impact_results (
    analysis_id   TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    policy        TEXT NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    -- The order of what changed: new failures first.
    position      BIGINT NOT NULL,
    change        TEXT NOT NULL,
    before_result TEXT NOT NULL,
    after_result  TEXT NOT NULL,
    -- Errors that are not kept as verdicts.
    before_error  TEXT,
    after_error   TEXT,
    PRIMARY KEY (analysis_id, run_id, policy),
    FOREIGN KEY (analysis_id, run_id) REFERENCES impact_runs (analysis_id, run_id) ON DELETE CASCADE
);
CREATE INDEX impact_results_position ON impact_results (analysis_id, position);

-- What is known: a policy of that digest says this about an input of that digest, whenever it is
-- asked. Name and level of the policy are not part of it. An input belongs to one run.
CREATE TABLE policy_verdicts (
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    policy_digest TEXT NOT NULL,
    input_digest  TEXT NOT NULL,
    run_id        TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    outcome       TEXT NOT NULL,
    messages      JSONB NOT NULL,
    omitted       BIGINT NOT NULL,
    error         TEXT,
    -- To the day.
    used_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, policy_digest, input_digest)
);
CREATE INDEX policy_verdicts_run ON policy_verdicts (run_id);
CREATE INDEX policy_verdicts_used ON policy_verdicts (used_at);
