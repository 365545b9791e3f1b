-- Rows of before are carried over by the tables' owner, who may not see them but for this.
ALTER TABLE camera NO FORCE ROW LEVEL SECURITY;
ALTER TABLE authorisation NO FORCE ROW LEVEL SECURITY;
ALTER TABLE authorisation_line NO FORCE ROW LEVEL SECURITY;

-- What a commune answers for: who is responsable de traitement, whom to ask about data, what it decided and declared.
ALTER TABLE commune
    ADD COLUMN controller text,  -- responsable de traitement (CSI R.251-1)
    ADD COLUMN dpo text,  -- a function and how to reach it
    ADD COLUMN deliberation text,
    ADD COLUMN deliberation_on date,
    ADD COLUMN cnil_sent_on date,  -- engagement de conformité (CSI R.253-7)
    ADD COLUMN cnil_receipt text,
    ADD CHECK ((deliberation IS NULL) = (deliberation_on IS NULL)),
    ADD CHECK ((cnil_sent_on IS NULL) = (cnil_receipt IS NULL));

-- COORDINATION: between the police municipale and the forces of the State (CSI L.512-4).
ALTER TABLE convention DROP CONSTRAINT convention_kind_check,
    ADD CONSTRAINT convention_kind_check CHECK (kind IN ('IV', 'V', 'COORDINATION'));

CREATE TABLE site (
    commune text NOT NULL REFERENCES commune (insee),
    name text NOT NULL,
    address text,
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    PRIMARY KEY (commune, name),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);
INSERT INTO site (commune, name) SELECT DISTINCT commune, site FROM camera;
ALTER TABLE camera ADD FOREIGN KEY (commune, site) REFERENCES site (commune, name);
ALTER TABLE camera DROP CONSTRAINT camera_regime_check,
    ADD CONSTRAINT camera_regime_check
        CHECK (regime IN ('VOIE_PUBLIQUE', 'ERP', 'COMMERCE', 'ABORDS_TERRO', 'HORS_CSI'));

-- The rows are what the events (authorisation_event) lead to, see legal/authorisations.py. A line is in force from the
-- later of from_at and its in_service_at to the earliest of to_at, ended_at and suspended_at. `dossier` names the file
-- from its draft on, `reference` the arrêté once there is one.
ALTER TABLE authorisation
    ADD COLUMN dossier text,
    ADD COLUMN kind text NOT NULL DEFAULT 'INITIALE'
        CHECK (kind IN ('INITIALE', 'MODIFICATION', 'RENOUVELLEMENT', 'PROVISOIRE', 'REGISTRE')),
    ADD COLUMN state text NOT NULL DEFAULT 'ACTIVE'
        CHECK (state IN ('BROUILLON', 'DEPOSEE', 'RECEPISSE', 'AVIS_CDV', 'AUTORISEE', 'REFUSEE', 'REFUS_IMPLICITE',
                         'MISE_EN_SERVICE_NOTIFIEE', 'ACTIVE', 'PROVISOIRE', 'SUSPENDUE', 'EXPIREE', 'RETIREE',
                         'FIN_EVENEMENT', 'REMPLACEE', 'CLASSEE')),
    ADD COLUMN replaces uuid REFERENCES authorisation (id),
    ADD COLUMN last_on date,
    ADD COLUMN complete_on date,
    ADD COLUMN extended boolean NOT NULL DEFAULT false,
    ADD COLUMN ended_at timestamptz,
    ALTER COLUMN reference DROP NOT NULL,
    ALTER COLUMN from_at DROP NOT NULL,
    ALTER COLUMN to_at DROP NOT NULL;
UPDATE authorisation SET dossier = reference;
UPDATE authorisation SET state = 'SUSPENDUE' WHERE suspended_at IS NOT NULL;
ALTER TABLE authorisation
    ALTER COLUMN dossier SET NOT NULL,
    ALTER COLUMN kind DROP DEFAULT,
    ALTER COLUMN state DROP DEFAULT,
    ALTER COLUMN extended DROP DEFAULT,
    ADD CONSTRAINT authorisation_dossier UNIQUE (commune, dossier),
    ADD CHECK ((reference IS NULL) = (from_at IS NULL) AND (reference IS NULL) = (to_at IS NULL)),
    ADD CHECK (reference IS NOT NULL OR state NOT IN ('AUTORISEE', 'MISE_EN_SERVICE_NOTIFIEE', 'ACTIVE', 'PROVISOIRE',
        'SUSPENDUE', 'EXPIREE', 'RETIREE', 'FIN_EVENEMENT', 'REMPLACEE')),
    -- Four months at most (CSI L.252-6).
    ADD CHECK (kind <> 'PROVISOIRE' OR to_at <= from_at + interval '4 months 1 day'),
    ADD CHECK ((kind IN ('MODIFICATION', 'RENOUVELLEMENT')) = (replaces IS NOT NULL));

ALTER TABLE authorisation_line
    ADD COLUMN recipients text[] NOT NULL DEFAULT '{}',
    ADD COLUMN position double precision[] CHECK (cardinality(position) = 2),  -- latitude, longitude
    ADD COLUMN field jsonb,
    ADD COLUMN masks jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN ptz jsonb,
    ADD COLUMN plan text CHECK (plan IN ('ETROIT', 'LARGE')),
    ADD COLUMN fast_flow boolean NOT NULL DEFAULT false,
    ADD COLUMN width integer CHECK (width > 0),
    ADD COLUMN height integer CHECK (height > 0),
    ADD COLUMN per_s double precision CHECK (per_s > 0),
    ADD COLUMN exemption text,
    ADD COLUMN sent_on date,  -- notice of the entry in service (CSI R.252-17)
    ADD COLUMN service_on date,
    ADD COLUMN in_service_at timestamptz,
    ADD CHECK ((sent_on IS NULL) = (service_on IS NULL) AND sent_on <= service_on),
    ADD CHECK ((width IS NULL) = (height IS NULL));
UPDATE authorisation_line SET in_service_at = from_at FROM authorisation WHERE authorisation.id = authorisation;

CREATE TABLE authorisation_event (
    authorisation uuid NOT NULL,
    n integer NOT NULL CHECK (n > 0),
    commune text NOT NULL,
    event text NOT NULL,
    at timestamptz NOT NULL,  -- when it was entered
    on_day date NOT NULL,  -- the act's own day
    reference text,
    from_on date,
    to_on date,
    service_on date,
    cameras uuid[],
    author uuid REFERENCES account (id),  -- NULL: the centre itself
    PRIMARY KEY (authorisation, n),
    FOREIGN KEY (authorisation, commune) REFERENCES authorisation (id, commune)
);
INSERT INTO authorisation_event (authorisation, n, commune, event, at, on_day, reference, from_on, to_on)
    SELECT id, 1, commune, 'carry-over', now(), (from_at AT TIME ZONE 'Europe/Paris')::date, reference,
        (from_at AT TIME ZONE 'Europe/Paris')::date, (to_at AT TIME ZONE 'Europe/Paris')::date FROM authorisation;
INSERT INTO authorisation_event (authorisation, n, commune, event, at, on_day)
    SELECT id, 2, commune, 'suspend', suspended_at, (suspended_at AT TIME ZONE 'Europe/Paris')::date
    FROM authorisation WHERE suspended_at IS NOT NULL;

ALTER TABLE camera FORCE ROW LEVEL SECURITY;
ALTER TABLE authorisation FORCE ROW LEVEL SECURITY;
ALTER TABLE authorisation_line FORCE ROW LEVEL SECURITY;

GRANT SELECT, INSERT, UPDATE ON site TO csu_app;
GRANT SELECT, INSERT ON authorisation_event TO csu_app;
GRANT DELETE ON authorisation_line TO csu_app;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['site', 'authorisation_event']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY by_commune ON %I TO csu_app USING (in_scope(commune))', name);
    END LOOP;
END $$;

-- A line goes only while its dossier is a draft.
CREATE FUNCTION line_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT state FROM authorisation WHERE id = OLD.authorisation) <> 'BROUILLON' THEN
        RAISE EXCEPTION 'a line of a dossier that was deposited stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER line_of_draft BEFORE DELETE ON authorisation_line FOR EACH ROW EXECUTE FUNCTION line_of_draft();
