-- Teams of an environment, and who is in them. Who leaves the account leaves its teams.
CREATE TABLE teams (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    environment_id TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL,
    UNIQUE (environment_id, name)
);
CREATE INDEX teams_account ON teams (account_id, environment_id);

CREATE TABLE team_members (
    account_id TEXT NOT NULL,
    team_id    TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id    TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (account_id, user_id) REFERENCES memberships (account_id, user_id) ON DELETE CASCADE
);
CREATE INDEX team_members_user ON team_members (account_id, user_id);

-- How many must agree before a run is applied. Without a workspace: in every one of the environment.
-- A team that a rule names can't be deleted.
CREATE TABLE approval_rules (
    id             TEXT PRIMARY KEY NOT NULL,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    environment_id TEXT NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
    workspace_id   TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    team_id        TEXT REFERENCES teams (id),
    needed         BIGINT NOT NULL,
    applies_to     TEXT NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX approval_rules_environment ON approval_rules (account_id, environment_id, workspace_id);
CREATE INDEX approval_rules_team ON approval_rules (team_id) WHERE team_id IS NOT NULL;

CREATE TABLE run_approvals (
    id         TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    user_id    TEXT NOT NULL REFERENCES users (id),
    comment    TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (run_id, user_id)
);
CREATE INDEX run_approvals_account ON run_approvals (account_id, run_id);
