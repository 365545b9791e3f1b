-- Who let a freeze of destruction end. The row names the very freeze, so that nothing else is freed by it; never removed.
CREATE TABLE freeze_release (
    id uuid PRIMARY KEY,
    subject text NOT NULL CHECK (subject IN ('clock', 'breaker')),
    freeze_id text NOT NULL CHECK (freeze_id <> ''),
    reason text NOT NULL CHECK (reason <> ''),  -- what the first person has checked
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL REFERENCES account (id),
    confirmed_at timestamptz,
    confirmed_by uuid REFERENCES account (id) CHECK (confirmed_by <> proposed_by),
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL))
);
GRANT SELECT, INSERT ON freeze_release TO csu_app;
GRANT UPDATE (confirmed_at, confirmed_by) ON freeze_release TO csu_app;
ALTER TABLE freeze_release ENABLE ROW LEVEL SECURITY;
ALTER TABLE freeze_release FORCE ROW LEVEL SECURITY;
-- It belongs to no commune: seen by those who see the whole centre.
CREATE POLICY whole_centre ON freeze_release TO csu_app USING (in_scope(NULL));

-- A stretch in which a camera will be away by decision: at work on it (planned), or neither recorded nor shown (masked).
-- In force from the later of from_at and decided_at to the earlier of to_at and ended_at; never for the past.
CREATE TABLE interruption (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    cause text NOT NULL CHECK (cause IN ('planned', 'masked')),
    reason text NOT NULL,  -- a code of legal/interruptions.py
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL REFERENCES account (id),
    decided_at timestamptz,
    decided_by uuid REFERENCES account (id),
    end_proposed_at timestamptz,
    end_proposed_by uuid REFERENCES account (id),
    ended_at timestamptz,
    ended_by uuid REFERENCES account (id),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
    CHECK ((end_proposed_at IS NULL) = (end_proposed_by IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    -- A camera is masked, and a masked one unmasked, by two persons.
    CHECK (cause = 'planned' OR decided_by <> proposed_by),
    CHECK (cause = 'planned' OR decided_by IS NULL OR ended_by IS NULL
        OR (end_proposed_by IS NOT NULL AND ended_by <> end_proposed_by))
);
CREATE INDEX ON interruption (camera);
GRANT SELECT, INSERT ON interruption TO csu_app;
GRANT UPDATE (decided_at, decided_by, end_proposed_at, end_proposed_by, ended_at, ended_by) ON interruption TO csu_app;
GRANT SELECT (id, commune, camera, cause, from_at, to_at, decided_at, ended_at) ON interruption TO csu_guard;
ALTER TABLE interruption ENABLE ROW LEVEL SECURITY;
ALTER TABLE interruption FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON interruption TO csu_app USING (in_scope(commune));
CREATE POLICY facts ON interruption FOR SELECT TO csu_guard USING (true);
