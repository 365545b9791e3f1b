-- Persons: who signed and for what, what falls due, and everything that decides as it was known at any past date.

ALTER TABLE account
    ADD COLUMN agrement_prefet text,
    ADD COLUMN agrement_inquiry_at timestamptz,  -- the last administrative inquiry; NULL: the agrément's first day
    ADD COLUMN agrement_suspended_reason text,
    ADD COLUMN leaving_at timestamptz,  -- since when the person is known to leave
    ADD COLUMN closes_at timestamptz,   -- when the account of one who leaves ends (RECYF 10.C)
    ADD CHECK ((leaving_at IS NULL) = (closes_at IS NULL)),
    ADD CHECK (closes_at BETWEEN leaving_at AND leaving_at + interval '168 hours');
ALTER TABLE habilitation
    ADD COLUMN regimes text[] CHECK (cardinality(regimes) > 0),  -- NULL: each that admits the person's category
    ADD COLUMN signed_by text,
    ADD COLUMN signed_on date;

-- Rules that a centre sets for itself; what is not here is off.
CREATE TABLE centre_rule (
    name text PRIMARY KEY CHECK (name IN ('INQUIRY_BLOCKS')),
    is_on boolean NOT NULL
);

-- Each account is confirmed once a year (RECYF 10.A).
CREATE TABLE review (
    id uuid PRIMARY KEY,
    account uuid NOT NULL REFERENCES account (id),
    confirmed_at timestamptz NOT NULL,
    confirmed_by uuid NOT NULL REFERENCES account (id) CHECK (confirmed_by <> account)
);
CREATE INDEX ON review (account);

-- What was known of each fact, and since when: a change ends one version and begins another. `recorded_at` is the
-- centre's clock, `written_at` the database's. Written by triggers only: nobody alters, removes or forges one.
CREATE TABLE fact_version (
    fact text NOT NULL,  -- its table
    key text NOT NULL,
    recorded_at timestamptz NOT NULL,
    written_at timestamptz NOT NULL,
    commune text,
    known jsonb NOT NULL,  -- its row, without secrets
    PRIMARY KEY (fact, key, recorded_at)
);

-- Arguments: the key's columns and those that are left out, each with commas. A version begins after the one before it,
-- also when the clock was set back; what one transaction changes twice is one. `csu.at` is what it was told the time is.
CREATE FUNCTION keep_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    told jsonb := to_jsonb(NEW) - string_to_array(TG_ARGV[1], ',');
    told_key text := (SELECT string_agg(told ->> part, ' ' ORDER BY place)
        FROM unnest(string_to_array(TG_ARGV[0], ',')) WITH ORDINALITY AS parts (part, place));
    told_at timestamptz := coalesce(nullif(current_setting('csu.at', true), '')::timestamptz, now());
    last fact_version;
BEGIN
    SELECT * INTO last FROM fact_version
        WHERE fact = TG_TABLE_NAME AND key = told_key ORDER BY recorded_at DESC LIMIT 1;
    IF last.known IS NOT DISTINCT FROM told THEN
        RETURN NULL;
    END IF;
    UPDATE fact_version SET known = told WHERE fact = TG_TABLE_NAME AND key = told_key
        AND recorded_at = last.recorded_at AND xmin = pg_current_xact_id()::xid;
    IF NOT FOUND THEN
        INSERT INTO fact_version VALUES (TG_TABLE_NAME, told_key,
            greatest(told_at, last.recorded_at + interval '1 microsecond'), now(),
            coalesce(told ->> 'commune', told ->> 'insee'), told);
    END IF;
    RETURN NULL;
END $$;

-- Facts of before are carried over as if they had always been known, and an account since it was made: their own dates
-- tell the rest. Suspensions that were lifted since stand in the journal only. The owner may not read these but for this.
DO $$
DECLARE
    name text;
    about text;
    left_out text;
    forced text[] := ARRAY['convention', 'camera', 'authorisation', 'authorisation_line', 'habilitation', 'journal'];
BEGIN
    FOREACH name IN ARRAY forced LOOP
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', name);
    END LOOP;
    FOR name, about, left_out IN VALUES
        ('commune', 'insee', ''), ('convention', 'id', ''), ('authorisation', 'id', ''),
        ('authorisation_line', 'authorisation,camera', ''), ('habilitation', 'id', ''), ('centre_rule', 'name', ''),
        ('account', 'id', 'password_hash'),
        ('camera', 'id', 'main_url,sub_url,username,secret,certificate,adapter,priority')
    LOOP
        EXECUTE format('CREATE TRIGGER keep_version AFTER INSERT OR UPDATE ON %I FOR EACH ROW'
            ' EXECUTE FUNCTION keep_version(%L, %L)', name, about, left_out);
        EXECUTE format($carry$
            INSERT INTO fact_version
            SELECT %L, (SELECT string_agg(told ->> part, ' ' ORDER BY place)
                    FROM unnest(string_to_array(%L, ',')) WITH ORDINALITY AS parts (part, place)),
                coalesce((told ->> 'created_at')::timestamptz, '1900-01-01 00:00Z'), now(),
                coalesce(told ->> 'commune', told ->> 'insee'), told
            FROM (SELECT to_jsonb(one) - string_to_array(%L, ',') AS told FROM %I AS one) AS rows
            $carry$, name, about, left_out, name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['habilitation', 'convention', 'authorisation'] LOOP
        -- One that was suspended and resumed: not suspended at first, then as each entry says.
        EXECUTE format($carry$
            WITH told AS (
                SELECT at, detail::jsonb ->> %1$L AS key, detail::jsonb ->> 'given' AS given,
                    split_part(op, ':', 2) = 'suspend' AS ends
                FROM journal WHERE result = 'done' AND split_part(op, ':', 1) = %1$L
                    AND split_part(op, ':', 2) IN ('suspend', 'resume')
            ), first AS (
                UPDATE fact_version SET known = known || '{"suspended_at": null, "suspended_reason": null}'
                WHERE fact = %1$L AND key IN (SELECT key FROM told)
            )
            INSERT INTO fact_version
            SELECT %1$L, told.key, told.at, now(), one.commune, to_jsonb(one) || jsonb_build_object(
                'suspended_at', CASE WHEN ends THEN told.at END, 'suspended_reason', CASE WHEN ends THEN given END)
            FROM told JOIN %1$I AS one ON one.id::text = told.key
            ON CONFLICT DO NOTHING
            $carry$, name);
    END LOOP;
    FOREACH name IN ARRAY forced LOOP
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON centre_rule TO csu_app;
GRANT SELECT, INSERT ON review TO csu_app;
GRANT SELECT ON fact_version TO csu_app, csu_guard;
GRANT SELECT ON centre_rule TO csu_guard;
GRANT SELECT (agrement_prefet, agrement_inquiry_at, agrement_suspended_reason, leaving_at, closes_at) ON account
    TO csu_guard;

ALTER TABLE review ENABLE ROW LEVEL SECURITY;
ALTER TABLE review FORCE ROW LEVEL SECURITY;
CREATE POLICY whole_centre ON review TO csu_app USING (in_scope(NULL));
ALTER TABLE fact_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE fact_version FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON fact_version FOR SELECT TO csu_app USING (in_scope(commune));
CREATE POLICY facts ON fact_version FOR SELECT TO csu_guard USING (true);
-- The triggers' function is the owner's: it looks at the version before, adds one, and completes its own only.
CREATE POLICY look ON fact_version FOR SELECT TO csu_owner USING (true);
CREATE POLICY keep ON fact_version FOR INSERT TO csu_owner WITH CHECK (true);
CREATE POLICY complete ON fact_version FOR UPDATE TO csu_owner USING (written_at = now());
