-- A hold is never removed: what was kept, for which requisition, and who let it go, stays told.
CREATE TABLE hold (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    requisition text NOT NULL CHECK (requisition <> ''),
    put_at timestamptz NOT NULL,
    put_by uuid NOT NULL REFERENCES account (id),
    release_proposed_at timestamptz,
    release_proposed_by uuid REFERENCES account (id),
    released_at timestamptz,
    released_by uuid REFERENCES account (id),
    CHECK (released_at IS NULL OR release_proposed_by IS NOT NULL AND released_by IS NOT NULL
        AND released_by <> release_proposed_by)
);
GRANT SELECT, INSERT ON hold TO csu_app;
GRANT UPDATE (release_proposed_at, release_proposed_by, released_at, released_by) ON hold TO csu_app;
ALTER TABLE hold ENABLE ROW LEVEL SECURITY;
ALTER TABLE hold FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON hold TO csu_app USING (in_scope(commune));
