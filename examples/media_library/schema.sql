CREATE SCHEMA library;

CREATE TABLE library.photo (
  file        text PRIMARY KEY,
  picture     image NOT NULL,
  width       bigint GENERATED ALWAYS AS (width(picture)) STORED,
  height      bigint GENERATED ALWAYS AS (height(picture)) STORED,
  megapixels  numeric GENERATED ALWAYS AS (round(width * height / 1e6, 2)) STORED,
  fingerprint text GENERATED ALWAYS AS (perceptual_hash(picture)) STORED,
  thumbnail   image GENERATED ALWAYS AS (encode(resize(picture, 160, 160), 'jpeg')) STORED
);

CREATE TABLE library.video (
  file      text PRIMARY KEY,
  clip      video NOT NULL,
  seconds   float8 GENERATED ALWAYS AS (duration(clip)) STORED,
  fps       float8 GENERATED ALWAYS AS (fps(clip)) STORED,
  thumbnail image GENERATED ALWAYS AS (resize(frame_at(clip, seconds / 2), 160, 160)) STORED
);

CREATE TABLE library.sound (
  file     text PRIMARY KEY,
  sound    audio NOT NULL,
  seconds  float8 GENERATED ALWAYS AS (duration(sound)) STORED,
  loudness float8 GENERATED ALWAYS AS (loudness(sound)) STORED
);

CREATE TABLE library.document (
  file      text PRIMARY KEY,
  document  document NOT NULL,
  title     text GENERATED ALWAYS AS (metadata(document)->>'title') STORED,
  pages     bigint GENERATED ALWAYS AS (page_count(document)) STORED,
  words     bigint GENERATED ALWAYS AS (array_length(regexp_split_to_array(text(document), '\s+'), 1)) STORED,
  thumbnail image OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (resize(page_image(document, 1, 50), 160, 160)) STORED
);

CREATE VIEW library.thumbnail AS
  SELECT 'photo' AS kind, file, thumbnail FROM library.photo
  UNION ALL SELECT 'video', file, thumbnail FROM library.video
  UNION ALL SELECT 'document', file, thumbnail FROM library.document;
