-- Sounds → segments of a second → loudness: where it is loud, and where nobody speaks.
CREATE SCHEMA IF NOT EXISTS pipelines;

CREATE TABLE pipelines.recording (
  file  text PRIMARY KEY,
  sound audio NOT NULL
);

CREATE MATERIALIZED VIEW pipelines.segment AS
  SELECT r.file, i.pos, i.start_seconds, i.end_seconds, i.segment
  FROM pipelines.recording r, LATERAL audio_segments(r.sound, duration => 1.0) AS i;

ALTER TABLE pipelines.segment
  ADD COLUMN loudness float8 GENERATED ALWAYS AS (loudness(segment)) STORED;
