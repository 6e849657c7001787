-- Catalog format 2: pipelines. Run on format 1, as a whole, in the transaction that migrates.

-- Functions that users made, LANGUAGE python and command: one row an overload and version. The current
-- one has not been replaced (or dropped).
CREATE TABLE coppice.functions (
  function_id   text NOT NULL,     -- 'public.caption(image,text)'
  version       bigint NOT NULL,
  schema_name   text NOT NULL,
  function_name text NOT NULL,
  language      text NOT NULL,
  parameters    jsonb NOT NULL,    -- [{"name": "lang", "type": "text", "default": "'en'"}]
  result        text NOT NULL,
  volatility    text NOT NULL CHECK (volatility IN ('immutable', 'stable', 'volatile')),
  source        text NOT NULL,     -- AS, as the user wrote it
  source_file   text,              -- the file that was copied, where it was then
  settings      jsonb NOT NULL,    -- what SET said
  digest        text NOT NULL,     -- of the code in HOME/functions, or of the command's words
  batched       boolean NOT NULL,
  words         jsonb NOT NULL,    -- of a command
  comment       text,
  created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  replaced_at   timestamptz,
  PRIMARY KEY (function_id, version)
);
CREATE UNIQUE INDEX functions_current ON coppice.functions (function_id) WHERE replaced_at IS NULL;

-- By which versions of users' functions the cells of a physical column were computed.
CREATE TABLE coppice.column_functions (
  table_id    bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  physical    text NOT NULL,
  function_id text NOT NULL,
  version     bigint NOT NULL,
  PRIMARY KEY (table_id, physical, function_id, version)
);
