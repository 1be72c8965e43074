-- Where people of an account come from besides its local users: an OpenID Connect provider, a SAML
-- identity provider, a directory. `settings` is an object by kind; the secret is sealed.
CREATE TABLE identity_providers (
    id            TEXT PRIMARY KEY NOT NULL,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    settings      JSONB NOT NULL,
    sealed_secret BYTEA,
    enabled       BOOLEAN NOT NULL,
    create_users  BOOLEAN NOT NULL,
    verified_at   TIMESTAMPTZ,
    verified_by   TEXT,
    version       BIGINT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, name)
);

-- What a provider's provisioning client shows, by the SHA-256 of its text.
CREATE TABLE provisioning_tokens (
    provider_id  TEXT PRIMARY KEY NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    hash         TEXT NOT NULL UNIQUE,
    last_six     TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ
);

-- Whom the provider counts to a group is in these teams, and nobody else of its people is.
CREATE TABLE provider_team_mappings (
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    group_name  TEXT NOT NULL,
    team_id     TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    PRIMARY KEY (provider_id, group_name, team_id)
);

-- Who somebody is to a provider. The subject is the provider's own word for them, never an address.
-- Name and address are what this provider says; the user's own row stays as it is.
CREATE TABLE external_identities (
    id              TEXT PRIMARY KEY NOT NULL,
    account_id      TEXT NOT NULL REFERENCES accounts (id),
    provider_id     TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    subject         TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    user_name       TEXT NOT NULL,
    folded_name     TEXT NOT NULL,
    email           TEXT NOT NULL,
    display_name    TEXT NOT NULL,
    provisioned     BOOLEAN NOT NULL,
    external_id     TEXT,
    detail          JSONB NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    last_sign_in_at TIMESTAMPTZ,
    UNIQUE (provider_id, subject),
    UNIQUE (provider_id, user_id),
    FOREIGN KEY (account_id, user_id) REFERENCES memberships (account_id, user_id) ON DELETE CASCADE
);
CREATE INDEX external_identities_name ON external_identities (account_id, provider_id, folded_name);

-- Groups that a provider's client has provisioned, and who is in them.
CREATE TABLE external_groups (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    provider_id TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    external_id TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    UNIQUE (provider_id, folded_name)
);
CREATE TABLE external_group_members (
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    group_id    TEXT NOT NULL REFERENCES external_groups (id) ON DELETE CASCADE,
    identity_id TEXT NOT NULL REFERENCES external_identities (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, identity_id)
);

-- Whether an account's members must come through its providers, and who need not.
CREATE TABLE sign_in_policies (
    account_id TEXT PRIMARY KEY NOT NULL REFERENCES accounts (id),
    enforced   BOOLEAN NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE sign_in_bypass (
    account_id TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    PRIMARY KEY (account_id, user_id),
    FOREIGN KEY (account_id, user_id) REFERENCES memberships (account_id, user_id) ON DELETE CASCADE
);

-- Assertions that were accepted, until they would be refused for their age.
CREATE TABLE accepted_assertions (
    provider_id  TEXT NOT NULL REFERENCES identity_providers (id) ON DELETE CASCADE,
    assertion_id TEXT NOT NULL,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    expires_at   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (provider_id, assertion_id)
);

-- Links that are used once, by the SHA-256 of their secret: invitations, new passwords, and test
-- sign-ins of a provider.
CREATE TABLE user_links (
    id          TEXT PRIMARY KEY NOT NULL,
    account_id  TEXT NOT NULL REFERENCES accounts (id),
    kind        TEXT NOT NULL,
    hash        TEXT NOT NULL UNIQUE,
    user_id     TEXT REFERENCES users (id),
    provider_id TEXT REFERENCES identity_providers (id) ON DELETE CASCADE,
    email       TEXT NOT NULL,
    role        TEXT,
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX user_links_account ON user_links (account_id, kind, created_at);

-- The second factor of a local user. Its secret is sealed among the installation's, under its name.
CREATE TABLE second_factors (
    user_id      TEXT PRIMARY KEY NOT NULL REFERENCES users (id),
    confirmed_at TIMESTAMPTZ,
    last_step    BIGINT NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL
);
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    hash    TEXT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- A suspended member can't sign in to the account and has no tokens in it.
ALTER TABLE memberships ADD COLUMN suspended_at TIMESTAMPTZ;

-- A session that a provider has opened counts in that provider's account only.
ALTER TABLE sessions ADD COLUMN account_id TEXT;
ALTER TABLE sessions ADD COLUMN provider_id TEXT;
ALTER TABLE sessions ADD COLUMN sealed_id_token BYTEA;
ALTER TABLE sessions ADD COLUMN source_address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_provider ON sessions (provider_id);
