-- How long a commune keeps a camera's recordings, where that is less than the arrêté allows.
ALTER TABLE camera ADD COLUMN kept_days integer CHECK (kept_days BETWEEN 1 AND 31);
CREATE FUNCTION demand_decided_days() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM proposal WHERE decision = 'retention' AND subject = NEW.id::text
                   AND confirmed_by IS NOT NULL AND content::jsonb -> 'days' = to_jsonb(NEW.kept_days)) THEN
        RAISE EXCEPTION 'no two persons decided these days' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_persons_retention BEFORE UPDATE OF kept_days ON camera FOR EACH ROW
    WHEN (NEW.kept_days IS DISTINCT FROM OLD.kept_days) EXECUTE FUNCTION demand_decided_days();

-- The register of legal bases of automatic analysis (legal/bases.py). Never removed.
CREATE TABLE legal_basis (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    function text NOT NULL,
    reference text NOT NULL CHECK (reference <> ''),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    registered_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by uuid REFERENCES account (id),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
GRANT SELECT, INSERT ON legal_basis TO csu_app;
GRANT UPDATE (ended_at, ended_by) ON legal_basis TO csu_app;
ALTER TABLE legal_basis ENABLE ROW LEVEL SECURITY;
ALTER TABLE legal_basis FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON legal_basis TO csu_app USING (in_scope(commune));
CREATE TRIGGER two_persons BEFORE INSERT ON legal_basis FOR EACH ROW EXECUTE FUNCTION demand_two_persons('legal_basis');
