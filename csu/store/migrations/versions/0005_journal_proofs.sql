-- Roots over 256 leaves, over 65,536, and so on (legal/ledger.py, KEPT_LEVELS): with the leaves they give every proof,
-- and they hold hashes only.
CREATE TABLE journal_node (
    level smallint NOT NULL CHECK (level > 0 AND level % 8 = 0),
    position bigint NOT NULL CHECK (position >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, position)
);
GRANT SELECT, INSERT ON journal_node TO csu_app;

-- Three years are the longest that an entry may be kept (CSI R.253-5). Row-level security is forced on the owner too:
-- so it sees, and can remove, what is over that age and nothing else; a leap day counts for the law.
CREATE POLICY prune_old ON journal FOR DELETE TO csu_owner
    USING (at < now() - interval '3 years' + interval '1 day');
CREATE POLICY see_old ON journal FOR SELECT TO csu_owner
    USING (at < now() - interval '3 years' + interval '1 day' OR op = 'journal:prune');
CREATE POLICY tell_prune ON journal FOR INSERT TO csu_owner WITH CHECK (op = 'journal:prune');
