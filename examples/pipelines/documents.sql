-- Documents → chunks → keywords: which document says what, and on which page.
CREATE SCHEMA IF NOT EXISTS pipelines;

CREATE TABLE pipelines.paper (
  file     text PRIMARY KEY,
  document document NOT NULL
);

CREATE MATERIALIZED VIEW pipelines.chunk AS
  SELECT p.file, i.pos, i.page, i.heading, i.text
  FROM pipelines.paper p, LATERAL chunks(p.document, by => 'paragraph', max_size => 2000) AS i;

ALTER TABLE pipelines.chunk ADD COLUMN terms tsvector
  GENERATED ALWAYS AS (to_tsvector('english'::regconfig, text)) STORED;
CREATE INDEX chunk_terms ON pipelines.chunk USING gin (terms);

-- Not stored: what the chunks say now, whenever it is read.
CREATE VIEW pipelines.keyword AS
  SELECT c.file, t.lexeme AS word, count(*) AS chunks, sum(cardinality(t.positions)) AS times
  FROM pipelines.chunk c, LATERAL unnest(c.terms) AS t
  WHERE length(t.lexeme) > 3
  GROUP BY c.file, t.lexeme;
