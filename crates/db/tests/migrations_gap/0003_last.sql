CREATE TABLE last_one (number BIGINT NOT NULL);
