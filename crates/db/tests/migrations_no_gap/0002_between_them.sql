CREATE TABLE between_them (number BIGINT NOT NULL);
