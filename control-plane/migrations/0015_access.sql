-- Roles of an account's own. Their permissions are words such as `runs:*`, a JSON array.
CREATE TABLE roles (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    permissions JSONB NOT NULL,
    version     BIGINT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);

-- Programs with grants and tokens of their own.
CREATE TABLE service_accounts (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled     BOOLEAN NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);

-- Who is granted which role where: one subject, one role (a system role by its name, or one of the
-- account's own), and the place that `scope` names. A workspace's or project's environment is there
-- too, and never changes.
CREATE TABLE access_grants (
    id                 TEXT PRIMARY KEY NOT NULL,
    account_id         TEXT NOT NULL REFERENCES accounts (id),
    user_id            TEXT,
    team_id            TEXT REFERENCES teams (id) ON DELETE CASCADE,
    service_account_id TEXT REFERENCES service_accounts (id) ON DELETE CASCADE,
    system_role        TEXT,
    role_id            TEXT REFERENCES roles (id),
    scope              TEXT NOT NULL,
    environment_id     TEXT REFERENCES environments (id) ON DELETE CASCADE,
    project_id         TEXT REFERENCES projects (id) ON DELETE CASCADE,
    workspace_id       TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    created_at         TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (account_id, user_id) REFERENCES memberships (account_id, user_id) ON DELETE CASCADE
);
CREATE INDEX access_grants_user ON access_grants (account_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX access_grants_team ON access_grants (account_id, team_id) WHERE team_id IS NOT NULL;
CREATE INDEX access_grants_service_account ON access_grants (account_id, service_account_id)
    WHERE service_account_id IS NOT NULL;
CREATE INDEX access_grants_role ON access_grants (role_id) WHERE role_id IS NOT NULL;
CREATE INDEX access_grants_environment ON access_grants (environment_id) WHERE environment_id IS NOT NULL;
CREATE INDEX access_grants_project ON access_grants (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX access_grants_workspace ON access_grants (workspace_id) WHERE workspace_id IS NOT NULL;
-- The same is not granted twice.
CREATE UNIQUE INDEX access_grants_once ON access_grants (account_id,
    COALESCE(user_id, team_id, service_account_id), COALESCE(system_role, role_id),
    COALESCE(workspace_id, project_id, environment_id, account_id));

-- What members had as one of two roles they have as grants.
INSERT INTO access_grants (id, account_id, user_id, system_role, scope, created_at)
SELECT 'ap-' || SUBSTR(account_id, 5) || '-' || SUBSTR(user_id, 6), account_id, user_id,
    CASE role WHEN 'admin' THEN 'admin' ELSE 'read-only' END, 'account', created_at
FROM memberships;
ALTER TABLE memberships DROP COLUMN role;

-- A token belongs to one of a user, a service account, a team, an environment, or a run's job.
ALTER TABLE tokens ADD COLUMN service_account_id TEXT REFERENCES service_accounts (id) ON DELETE CASCADE;
ALTER TABLE tokens ADD COLUMN team_id TEXT REFERENCES teams (id) ON DELETE CASCADE;
ALTER TABLE tokens ADD COLUMN environment_id TEXT REFERENCES environments (id) ON DELETE CASCADE;
CREATE INDEX tokens_service_account ON tokens (account_id, service_account_id)
    WHERE service_account_id IS NOT NULL;
CREATE INDEX tokens_team ON tokens (account_id, team_id) WHERE team_id IS NOT NULL;
CREATE INDEX tokens_environment ON tokens (account_id, environment_id) WHERE environment_id IS NOT NULL;

-- An account's rules: how many days tokens may live, and the networks (an array of CIDR) that its
-- tokens work from; an empty array is any. Without a row there are no rules.
CREATE TABLE access_rules (
    account_id                 TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id),
    user_token_days            BIGINT,
    service_account_token_days BIGINT,
    allowed_networks           JSONB NOT NULL,
    updated_at                 TIMESTAMPTZ NOT NULL
);
