CREATE TABLE variants (which TEXT NOT NULL);
INSERT INTO variants VALUES ('postgres');
