CREATE SCHEMA films;
CREATE SCHEMA IF NOT EXISTS films;
CREATE TABLE films.film (
  id       bigint PRIMARY KEY,
  title    text NOT NULL,
  clip     video NOT NULL,
  seconds  float8 GENERATED ALWAYS AS (duration(clip)) STORED,
  poster   image OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (resize(frame_at(clip, 1.0), 320)) STORED
);
CREATE MATERIALIZED VIEW films.frame AS
  SELECT f.id, i.pos, i.at_seconds, i.frame FROM films.film f, LATERAL frames(f.clip, fps => 1) AS i;
ALTER TABLE films.frame ADD COLUMN fingerprint text GENERATED ALWAYS AS (perceptual_hash(frame)) STORED;
INSERT INTO films.film (id, title, clip) VALUES (1, 'Street', 'street.avi');
SELECT title, seconds FROM films.film WHERE seconds > 5 ORDER BY seconds DESC;
SELECT * FROM films."film:3";
SELECT * FROM films."film:2026-11-22 10:00+00";
CREATE FUNCTION caption(picture image) RETURNS text LANGUAGE python STABLE AS 'captions.py:caption';
CREATE OR REPLACE FUNCTION f(a int DEFAULT 1, OUT b text, VARIADIC c text[]) RETURNS SETOF record LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5 AS $$ select 1 $$;
CREATE FUNCTION g(x int) RETURNS TABLE (a int, b text) LANGUAGE sql AS 'select 1, $x$a$x$';
CREATE FUNCTION h(a int, b int) RETURNS int LANGUAGE sql RETURN a + b;
CREATE FUNCTION k(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; SELECT CASE WHEN a > 1 THEN 1 END; END;
DROP FUNCTION caption(image);
DROP FUNCTION IF EXISTS caption;
