-- Facts of the recorders, by index (`source`) and number in its feed: taken over once. `day` is a civil day in Paris,
-- times in microseconds.
CREATE TABLE coverage_day (
    source uuid NOT NULL,
    n bigint NOT NULL,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    day date NOT NULL,
    told_at timestamptz NOT NULL,
    expected_us bigint NOT NULL,
    sums_us jsonb NOT NULL,  -- recorded and missing by cause: together what was under orders
    PRIMARY KEY (source, n)
);
CREATE INDEX ON coverage_day (commune, day);

CREATE TABLE destruction (
    source uuid NOT NULL,
    n bigint NOT NULL,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    day date NOT NULL,  -- on which it was told
    told_at timestamptz NOT NULL,
    hour timestamptz NOT NULL,  -- of the pictures, UTC
    cause text NOT NULL,
    count bigint NOT NULL,
    bytes bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    root bytea NOT NULL,
    missing bigint NOT NULL,  -- of them that were not on the disk any more
    derived bigint NOT NULL,  -- files made from them that went with them
    PRIMARY KEY (source, n)
);
CREATE INDEX ON destruction (commune, day);

CREATE TABLE inventory (
    source uuid NOT NULL,
    n bigint NOT NULL,
    commune text NOT NULL REFERENCES commune (insee),
    camera uuid NOT NULL REFERENCES camera (id),
    day date NOT NULL,  -- that the night ends
    told_at timestamptz NOT NULL,
    files bigint NOT NULL,
    bytes bigint NOT NULL,
    oldest_at timestamptz,  -- but for those that are held
    overdue bigint NOT NULL,
    held bigint NOT NULL,  -- of the files, past their deadline and kept by a hold
    held_bytes bigint NOT NULL,
    away bigint NOT NULL,  -- storage directories that may have more of it and couldn't be asked
    PRIMARY KEY (source, n)
);
CREATE INDEX ON inventory (commune, day);

-- Days that a statement, or a correction of one, may have to be made for.
CREATE TABLE statement_due (
    commune text NOT NULL REFERENCES commune (insee),
    day date NOT NULL,
    PRIMARY KEY (commune, day)
);

-- Numbered from 1 in each commune without a hole; each document bears the hash of the one before it.
CREATE TABLE statement (
    commune text NOT NULL REFERENCES commune (insee),
    number bigint NOT NULL CHECK (number > 0),
    day date NOT NULL,
    corrects bigint CHECK (corrects < number),
    signed_at timestamptz NOT NULL,
    document text NOT NULL,  -- canonical JSON
    withheld text NOT NULL,  -- what it says of holds, by its hash only: not for the elected (CPP 11)
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    kid text NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (commune, number)
);
CREATE UNIQUE INDEX ON statement (commune, day) WHERE corrects IS NULL;
CREATE INDEX ON statement (commune, day);

-- Destructions that were told before this table stand in the journal. Its owner may not read it but for this.
ALTER TABLE journal NO FORCE ROW LEVEL SECURITY;
ALTER TABLE camera NO FORCE ROW LEVEL SECURITY;
INSERT INTO destruction
SELECT (told.detail ->> 'index')::uuid, (told.detail ->> 'n')::bigint, told.commune, told.camera,
    (told.at AT TIME ZONE 'Europe/Paris')::date, told.at, coalesce((told.detail ->> 'hour')::timestamptz, date_trunc('hour', told.from_at, 'UTC')),
    told.detail ->> 'cause', (told.detail ->> 'count')::bigint, (told.detail ->> 'bytes')::bigint,
    told.from_at, told.to_at, decode(told.detail ->> 'root', 'hex'), coalesce((told.detail ->> 'missing')::bigint, 0),
    coalesce((told.detail ->> 'derived')::bigint, 0)
FROM (SELECT at, commune, camera, from_at, to_at, detail::jsonb AS detail FROM journal
      WHERE op = 'recording:erase' AND result = 'done') AS told
JOIN camera ON camera.id = told.camera AND camera.commune = told.commune;
ALTER TABLE journal FORCE ROW LEVEL SECURITY;
ALTER TABLE camera FORCE ROW LEVEL SECURITY;

GRANT SELECT, INSERT ON coverage_day, destruction, inventory, statement TO csu_app;
GRANT SELECT, INSERT, DELETE ON statement_due TO csu_app;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['coverage_day', 'destruction', 'inventory', 'statement_due', 'statement']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY by_commune ON %I TO csu_app USING (in_scope(commune))', name);
    END LOOP;
END $$;
