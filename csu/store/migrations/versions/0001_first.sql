-- Times are instants (timestamptz). A fact is in force from from_at (included) to the earlier of to_at and
-- suspended_at (excluded). `commune` is an INSEE code and the key of tenancy: the commune d'implantation.

CREATE TABLE commune (
    insee text PRIMARY KEY CHECK (insee ~ '^[0-9AB]{5}$'),
    name text NOT NULL,
    departement text NOT NULL CHECK (departement ~ '^[0-9AB]{2,3}$'),
    authority text NOT NULL  -- under whose authority its pictures are seen (CSI L.132-14-1)
);

CREATE TABLE convention (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune,
    kind text NOT NULL CHECK (kind IN ('IV', 'V')),  -- CSI L.132-14
    reference text NOT NULL,
    partner text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    suspended_at timestamptz,
    suspended_reason text,
    CHECK (to_at > from_at),
    UNIQUE (commune, kind, reference)
);

CREATE TABLE camera (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune,
    number text NOT NULL UNIQUE,
    name text NOT NULL,
    site text NOT NULL,
    regime text NOT NULL CHECK (regime IN ('VOIE_PUBLIQUE', 'ERP', 'COMMERCE', 'ABORDS_TERRO')),
    adapter text NOT NULL CHECK (adapter IN ('native', 'pyav')),
    priority integer NOT NULL,
    main_url text NOT NULL,
    sub_url text,
    username text,
    secret bytea  -- AES-256-GCM, bound to the camera's id (csu/cameras/secrets.py)
);

CREATE TABLE authorisation (
    id uuid PRIMARY KEY,
    commune text NOT NULL REFERENCES commune,
    reference text NOT NULL UNIQUE,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    suspended_at timestamptz,
    suspended_reason text,
    CHECK (to_at > from_at),
    -- Five years at most (CSI L.252-4).
    CHECK (to_at <= from_at + interval '5 years 1 day'),
    UNIQUE (id, commune)
);

CREATE TABLE authorisation_line (
    authorisation uuid NOT NULL,
    camera uuid NOT NULL REFERENCES camera,
    commune text NOT NULL,
    finalites text[] NOT NULL CHECK (cardinality(finalites) > 0),
    visualised boolean NOT NULL,
    recorded boolean NOT NULL,
    retention_days integer NOT NULL CHECK (retention_days BETWEEN 1 AND 31),
    minimum_days integer CHECK (minimum_days BETWEEN 0 AND retention_days),
    PRIMARY KEY (authorisation, camera),
    FOREIGN KEY (authorisation, commune) REFERENCES authorisation (id, commune)
);
CREATE INDEX ON authorisation_line (camera);

CREATE TABLE account (
    id uuid PRIMARY KEY,
    login text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._-]{1,63}$'),
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('operator', 'supervisor', 'delegate', 'auditor', 'administrator')),
    category text NOT NULL,
    employer text REFERENCES commune,  -- the commune that employs; NULL for staff lent by a mutualised centre
    password_hash text NOT NULL,
    agrement_reference text,
    agrement_departements text[],
    agrement_from_at timestamptz,
    agrement_to_at timestamptz,
    agrement_suspended_at timestamptz,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    CHECK ((agrement_reference IS NULL) = (agrement_from_at IS NULL)),
    CHECK ((agrement_reference IS NULL) = (agrement_departements IS NULL)),
    CHECK (role <> 'delegate' OR employer IS NOT NULL)
);

CREATE TABLE habilitation (
    id uuid PRIMARY KEY,
    account uuid NOT NULL REFERENCES account,
    commune text NOT NULL REFERENCES commune,
    basis text NOT NULL CHECK (basis IN ('designation', 'delegation')),
    rights text[] NOT NULL CHECK (rights <@ ARRAY['live', 'replay']),
    reference text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    suspended_at timestamptz,
    suspended_reason text,
    CHECK (to_at > from_at),
    UNIQUE (account, commune, reference)
);

CREATE TABLE session (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    account uuid NOT NULL REFERENCES account,
    shift_motif text,
    workstation text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    locked_at timestamptz,
    ended_at timestamptz
);
CREATE INDEX ON session (account) WHERE ended_at IS NULL;

CREATE TABLE alarm (
    id uuid PRIMARY KEY,
    source text NOT NULL,  -- who raised it and will end it
    code text NOT NULL,
    subject text NOT NULL,  -- a camera's id, or a part of the centre
    commune text REFERENCES commune,
    detail text NOT NULL,
    since timestamptz NOT NULL,
    ended timestamptz
);
CREATE UNIQUE INDEX ON alarm (source, code, subject) WHERE ended IS NULL;

CREATE TABLE orders_state (
    recorder text PRIMARY KEY,
    version bigint NOT NULL,
    content_hash bytea NOT NULL,
    issued_at timestamptz NOT NULL
);

-- How far each numbered feed has been taken over: facts of a recorder, served looks of a gateway.
CREATE TABLE feed_cursor (
    feed text NOT NULL,
    source uuid NOT NULL,
    upto bigint NOT NULL,
    PRIMARY KEY (feed, source)
);

-- The journal (csu/audit/JOURNAL.md). Nothing refers to anything by key: an entry outlives what it speaks of.
CREATE TABLE journal (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    op text NOT NULL,
    result text NOT NULL CHECK (result IN ('done', 'refused', 'noted')),
    code text,
    reason text,
    author uuid,
    author_name text NOT NULL,
    quality text NOT NULL,
    authority text,
    commune text,
    camera uuid,
    camera_name text,
    from_at timestamptz,
    to_at timestamptz,
    motif_code text,
    motif_reference text,
    recipients text[] NOT NULL,
    workstation text,
    session uuid,
    detail text NOT NULL,  -- canonical JSON
    salt bytea NOT NULL CHECK (octet_length(salt) = 16)
);
CREATE INDEX ON journal (at);

CREATE TABLE journal_pending (entry uuid PRIMARY KEY);

CREATE TABLE journal_leaf (
    leaf bigint PRIMARY KEY CHECK (leaf >= 0),
    entry uuid NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE TABLE tree_head (
    tree_size bigint PRIMARY KEY,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    signed_at timestamptz NOT NULL,
    kid text NOT NULL,
    signature bytea NOT NULL
);

-- Whoever writes an entry, it waits for its leaf number.
CREATE FUNCTION journal_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO journal_pending (entry) VALUES (NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER journal_wait AFTER INSERT ON journal FOR EACH ROW EXECUTE FUNCTION journal_wait();

-- Rights. The application may neither alter nor remove what proves: journal, leaves, heads.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO csu_app, csu_guard;
GRANT SELECT, INSERT ON journal, journal_leaf, tree_head TO csu_app;
GRANT SELECT, INSERT, DELETE ON journal_pending TO csu_app;
GRANT SELECT, INSERT, UPDATE ON commune, convention, camera, authorisation, authorisation_line, account,
    habilitation, session, alarm, orders_state, feed_cursor TO csu_app;
-- The guard reads the facts that decide, of every commune, and nothing else: no address, no secret, no journal.
GRANT SELECT ON commune, convention, authorisation, authorisation_line, habilitation, session TO csu_guard;
GRANT SELECT (id, commune, number, name, site, regime, sub_url) ON camera TO csu_guard;
GRANT SELECT (id, login, name, role, category, employer, agrement_reference, agrement_departements,
    agrement_from_at, agrement_to_at, agrement_suspended_at, created_at, closed_at) ON account TO csu_guard;

-- A transaction names the communes it may touch: `SET LOCAL csu.communes = '27229,27681'`, or `*` for the centre.
-- Without it nothing is visible.
CREATE FUNCTION in_scope(commune text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('csu.communes', true), '') = '*'
        OR coalesce(commune = ANY (string_to_array(current_setting('csu.communes', true), ',')), false)
$$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['convention', 'camera', 'authorisation', 'authorisation_line', 'habilitation',
                                'journal']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY by_commune ON %I TO csu_app USING (in_scope(commune))', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['convention', 'camera', 'authorisation', 'authorisation_line', 'habilitation']
    LOOP
        EXECUTE format('CREATE POLICY facts ON %I FOR SELECT TO csu_guard USING (true)', name);
    END LOOP;
END $$;
-- An alarm that concerns no commune concerns everybody.
ALTER TABLE alarm ENABLE ROW LEVEL SECURITY;
ALTER TABLE alarm FORCE ROW LEVEL SECURITY;
CREATE POLICY by_commune ON alarm TO csu_app USING (commune IS NULL OR in_scope(commune));
-- An entry speaks of the commune whose camera was asked for, be it foreign to the person: its mayor must see it.
CREATE POLICY append ON journal FOR INSERT TO csu_app WITH CHECK (true);
