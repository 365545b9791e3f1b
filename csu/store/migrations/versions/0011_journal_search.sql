-- A journal of a million entries is searched by who, where, what and when without being read whole.
CREATE INDEX ON journal (author, at);
CREATE INDEX ON journal (author_name, at);
CREATE INDEX ON journal (camera, at);
CREATE INDEX ON journal (commune, at);
CREATE INDEX ON journal (op, at);
CREATE INDEX ON journal (motif_reference, at) WHERE motif_reference IS NOT NULL;
CREATE INDEX ON journal (at) WHERE result = 'refused';
