-- What was tried against the centre (csu/audit/security.py): added by the application, removed by the owner at one year.
CREATE TABLE security_event (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('console', 'gateway')),
    code text NOT NULL,
    login text,
    workstation text,
    count bigint NOT NULL CHECK (count > 0),
    told uuid UNIQUE  -- which line of a gateway's spool; NULL from the console
);
CREATE INDEX ON security_event (at);
GRANT SELECT, INSERT ON security_event TO csu_app;
ALTER TABLE security_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE security_event FORCE ROW LEVEL SECURITY;
CREATE POLICY whole_centre ON security_event TO csu_app USING (in_scope(NULL));
CREATE POLICY prune_old ON security_event FOR DELETE TO csu_owner USING (at < now() - interval '1 year' + interval '1 day');
CREATE POLICY see_old ON security_event FOR SELECT TO csu_owner USING (at < now() - interval '1 year' + interval '1 day');

DROP POLICY see_old ON journal;
CREATE POLICY see_old ON journal FOR SELECT TO csu_owner
    USING (at < now() - interval '3 years' + interval '1 day' OR op IN ('journal:prune', 'security:prune'));
DROP POLICY tell_prune ON journal;
CREATE POLICY tell_prune ON journal FOR INSERT TO csu_owner WITH CHECK (op IN ('journal:prune', 'security:prune'));

-- What a time-stamping authority signed over a head (RFC 3161): that the head was there then.
CREATE TABLE head_timestamp (
    tree_size bigint PRIMARY KEY REFERENCES tree_head,
    token bytea NOT NULL
);
GRANT SELECT, INSERT ON head_timestamp TO csu_app;
