-- Where a data document comes from, if the control plane fetches it.
ALTER TABLE policy_documents ADD COLUMN url TEXT;
ALTER TABLE policy_documents ADD COLUMN refresh_minutes BIGINT;
ALTER TABLE policy_documents ADD COLUMN sealed_token BYTEA;
ALTER TABLE policy_documents ADD COLUMN fetched_at TIMESTAMPTZ;
-- Why the last fetch failed; the body is that of the last good one.
ALTER TABLE policy_documents ADD COLUMN fetch_error TEXT;
-- When it is fetched next; pushed on by whoever is about to do it.
ALTER TABLE policy_documents ADD COLUMN next_fetch_at TIMESTAMPTZ;
CREATE INDEX policy_documents_due ON policy_documents (next_fetch_at) WHERE url IS NOT NULL;
