-- Password attempts that were let through and have not succeeded: per user name and per source
-- address, so that guessing gets slower and slower. The id is `user NAME` or `address IP`.
CREATE TABLE sign_in_attempts (
    id       TEXT PRIMARY KEY NOT NULL,
    attempts BIGINT NOT NULL,
    last_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX sign_in_attempts_age ON sign_in_attempts (last_at);

CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
