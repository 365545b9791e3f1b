-- What an arrêté opens of a commune's cameras to the agents of services of the State whom it names (CSI L.252-3).
CREATE TABLE deport (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune,
    reference text NOT NULL CHECK (reference <> ''),
    persons uuid[] NOT NULL CHECK (cardinality(persons) > 0),  -- accounts, which are never removed
    cameras uuid[] CHECK (cardinality(cameras) > 0),  -- of that commune; NULL: each that it has
    rights text[] NOT NULL CHECK (cardinality(rights) > 0 AND rights <@ ARRAY['live', 'replay']),
    recipient_days integer NOT NULL CHECK (recipient_days BETWEEN 1 AND 31),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    suspended_at timestamptz,
    suspended_reason text
);
CREATE INDEX ON deport (commune);
GRANT SELECT, INSERT, UPDATE ON deport TO csu_app;
GRANT SELECT ON deport TO csu_guard;
ALTER TABLE deport ENABLE ROW LEVEL SECURITY;
ALTER TABLE deport FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON deport TO csu_app USING (in_scope(commune));
CREATE POLICY facts ON deport FOR SELECT TO csu_guard USING (true);
CREATE TRIGGER keep_version AFTER INSERT OR UPDATE ON deport FOR EACH ROW EXECUTE FUNCTION keep_version('id', '');

ALTER TABLE habilitation
    DROP CONSTRAINT habilitation_rights_check,
    ADD CHECK (rights <@ ARRAY['live', 'replay', 'extract']);
