-- What a revoked runner has announced of the states of a job, in bytes: it may bring so much and no more.
ALTER TABLE jobs ADD COLUMN delivery_bytes BIGINT NOT NULL DEFAULT 0;

-- When a revoked runner was last given a certificate for deliveries.
ALTER TABLE runners ADD COLUMN delivery_issued_at TIMESTAMPTZ;
