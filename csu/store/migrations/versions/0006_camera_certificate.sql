-- SHA-256 of the certificate that a camera signed itself, in place of an authority's word.
ALTER TABLE camera ADD COLUMN certificate text CHECK (certificate ~ '^[0-9a-f]{64}$');
