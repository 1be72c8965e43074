CREATE TABLE owners (id TEXT PRIMARY KEY NOT NULL);
CREATE TABLE things (
    id TEXT PRIMARY KEY NOT NULL,
    owner_id TEXT REFERENCES owners (id),
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    flag BOOLEAN NOT NULL,
    doc JSONB NOT NULL,
    data BYTEA,
    at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX things_by_name ON things (name, number);
CREATE UNIQUE INDEX things_one_flag ON things (owner_id) WHERE flag;
