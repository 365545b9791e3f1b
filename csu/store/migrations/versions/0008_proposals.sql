-- What one person proposes and another confirms, for every act that takes two (legal/two_persons.py). Never removed.
CREATE TABLE proposal (
    id uuid PRIMARY KEY,
    decision text NOT NULL CHECK (decision IN
        ('hold_release', 'clock_release', 'breaker_release', 'mask', 'unmask', 'retention', 'legal_basis')),
    subject text NOT NULL CHECK (subject <> ''),  -- what it is done to: a row's id, a freeze's name
    commune text REFERENCES commune (insee),  -- NULL: the whole centre's
    reason text NOT NULL,  -- what the first person has checked, '' where a code says it
    content text NOT NULL,  -- canonical JSON of what is to be, where the subject doesn't say it
    proposed_at timestamptz NOT NULL,
    proposed_by uuid NOT NULL REFERENCES account (id),
    confirmed_at timestamptz,
    confirmed_by uuid REFERENCES account (id) CHECK (confirmed_by <> proposed_by),
    closed_at timestamptz,  -- withdrawn, or replaced by a later one
    CHECK ((confirmed_at IS NULL) = (confirmed_by IS NULL)),
    CHECK (confirmed_at IS NULL OR closed_at IS NULL)
);
CREATE INDEX ON proposal (decision, subject, proposed_at);
CREATE UNIQUE INDEX proposal_open ON proposal (decision, subject) WHERE confirmed_at IS NULL AND closed_at IS NULL;

-- What was pending is carried over: for once the owner itself sees every row.
ALTER TABLE freeze_release NO FORCE ROW LEVEL SECURITY;
ALTER TABLE hold NO FORCE ROW LEVEL SECURITY;
ALTER TABLE interruption NO FORCE ROW LEVEL SECURITY;
INSERT INTO proposal (id, decision, subject, reason, content, proposed_at, proposed_by, confirmed_at, confirmed_by,
                      closed_at)
SELECT id, subject || '_release', freeze_id, reason, '{}', proposed_at, proposed_by, confirmed_at, confirmed_by,
    CASE WHEN confirmed_at IS NULL
              AND row_number() OVER (PARTITION BY subject, freeze_id ORDER BY proposed_at DESC, id) > 1
        THEN proposed_at + interval '30 minutes' END
FROM freeze_release;
DROP TABLE freeze_release;

INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
                      confirmed_by)
SELECT gen_random_uuid(), 'hold_release', id, commune, '', '{}', release_proposed_at, release_proposed_by, released_at,
    released_by
FROM hold WHERE release_proposed_by IS NOT NULL;
ALTER TABLE hold DROP COLUMN release_proposed_at, DROP COLUMN release_proposed_by, DROP COLUMN released_by;

-- Of a masking: who proposed and confirmed its beginning, and its early end.
INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
                      confirmed_by, closed_at)
SELECT gen_random_uuid(), 'mask', id, commune, '', '{}', proposed_at, proposed_by, decided_at, decided_by,
    CASE WHEN decided_at IS NULL THEN ended_at END
FROM interruption WHERE cause = 'masked';
INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
                      confirmed_by)
SELECT gen_random_uuid(), 'unmask', id, commune, '', '{}', end_proposed_at, end_proposed_by, ended_at, ended_by
FROM interruption WHERE cause = 'masked' AND end_proposed_by IS NOT NULL AND decided_at IS NOT NULL;
ALTER TABLE interruption DROP COLUMN decided_by, DROP COLUMN end_proposed_at, DROP COLUMN end_proposed_by;
ALTER TABLE interruption RENAME COLUMN proposed_at TO announced_at;
ALTER TABLE interruption RENAME COLUMN proposed_by TO announced_by;

ALTER TABLE hold FORCE ROW LEVEL SECURITY;
ALTER TABLE interruption FORCE ROW LEVEL SECURITY;

GRANT SELECT, INSERT ON proposal TO csu_app;
GRANT UPDATE (confirmed_at, confirmed_by, closed_at) ON proposal TO csu_app;
GRANT UPDATE (released_at) ON hold TO csu_app;
GRANT UPDATE (decided_at, ended_at, ended_by) ON interruption TO csu_app;
ALTER TABLE proposal ENABLE ROW LEVEL SECURITY;
ALTER TABLE proposal FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON proposal TO csu_app USING (in_scope(commune));

-- No row changes as two persons decide unless both stand in its proposal: the decision is the trigger's first argument.
CREATE FUNCTION demand_two_persons() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM proposal WHERE decision = TG_ARGV[0] AND subject = NEW.id::text
                   AND confirmed_by IS NOT NULL) THEN
        RAISE EXCEPTION 'no two persons decided %', TG_ARGV[0] USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_persons BEFORE UPDATE ON hold FOR EACH ROW
    WHEN (NEW.released_at IS NOT NULL) EXECUTE FUNCTION demand_two_persons('hold_release');
CREATE TRIGGER two_persons_mask BEFORE INSERT OR UPDATE OF decided_at ON interruption FOR EACH ROW
    WHEN (NEW.cause = 'masked' AND NEW.decided_at IS NOT NULL) EXECUTE FUNCTION demand_two_persons('mask');
CREATE TRIGGER two_persons_unmask BEFORE UPDATE OF ended_at ON interruption FOR EACH ROW
    WHEN (NEW.cause = 'masked' AND NEW.decided_at IS NOT NULL AND NEW.ended_at IS NOT NULL)
    EXECUTE FUNCTION demand_two_persons('unmask');
