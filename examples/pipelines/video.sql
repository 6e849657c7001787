-- Video → frames → fingerprint and the text that is seen on them.
CREATE SCHEMA IF NOT EXISTS pipelines;

CREATE TABLE pipelines.film (
  file    text PRIMARY KEY,
  clip    video NOT NULL,
  seconds float8 GENERATED ALWAYS AS (duration(clip)) STORED
);

CREATE MATERIALIZED VIEW pipelines.frame AS
  SELECT f.file, i.pos, i.at_seconds, i.frame
  FROM pipelines.film f, LATERAL frames(f.clip, count => 4) AS i
  WHERE f.seconds > 0;

ALTER TABLE pipelines.frame
  ADD COLUMN fingerprint text GENERATED ALWAYS AS (perceptual_hash(frame)) STORED;
ALTER TABLE pipelines.frame
  ADD COLUMN words text OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (trim(ocr(frame))) STORED;
