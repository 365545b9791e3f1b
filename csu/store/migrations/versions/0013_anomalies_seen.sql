-- What an auditor has looked into of what the rules find in the journal (csu/audit/anomalies.py): whose looks, on which
-- camera (NULL: on several), under which reference (NULL: none), from when to when. Kept as long as the journal itself.
CREATE TABLE anomaly_seen (
    id uuid PRIMARY KEY,
    code text NOT NULL,
    author uuid NOT NULL,
    camera uuid,
    reference text,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at >= from_at),
    comment text NOT NULL CHECK (comment <> ''),
    seen_at timestamptz NOT NULL,
    seen_by uuid NOT NULL REFERENCES account (id)
);
CREATE INDEX ON anomaly_seen (to_at);
GRANT SELECT, INSERT ON anomaly_seen TO csu_app;
ALTER TABLE anomaly_seen ENABLE ROW LEVEL SECURITY;
ALTER TABLE anomaly_seen FORCE ROW LEVEL SECURITY;
CREATE POLICY whole_centre ON anomaly_seen TO csu_app USING (in_scope(NULL));
CREATE POLICY prune_old ON anomaly_seen FOR DELETE TO csu_owner USING (seen_at < now() - interval '3 years' + interval '1 day');
CREATE POLICY see_old ON anomaly_seen FOR SELECT TO csu_owner USING (seen_at < now() - interval '3 years' + interval '1 day');
