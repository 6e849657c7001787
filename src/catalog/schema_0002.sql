-- Catalog format 2: pipelines. Run on format 1, as a whole, in the transaction that migrates.

-- A materialized view is a table of its parent's tree. Its rows have a column `_parent` in the store:
-- the `_row` of the parent's row that they were made from.
CREATE TABLE coppice.materialized_views (
  table_id         bigint PRIMARY KEY REFERENCES coppice.tables ON DELETE CASCADE,
  parent_id        bigint NOT NULL REFERENCES coppice.tables,
  parent_alias     text NOT NULL,    -- what expressions call the parent's row
  iterator         text,             -- the call: 'frames(f.clip, fps => 1)'; NULL: there is none
  iterator_alias   text,
  iterator_columns text[],           -- what its columns are called: pos and those of the function
  condition        text,             -- WHERE; column names are qualified
  definition       text NOT NULL,    -- the query, as the user wrote it, with today's names
  first_version    bigint NOT NULL   -- of the tree: before it the view was not there
);
CREATE INDEX materialized_views_parent ON coppice.materialized_views (parent_id);

-- Of a column that a materialized view's query gives: its expression over the parent's row and the
-- iterator's, with qualified names. Columns that are computed from the view's own have `expression`.
ALTER TABLE coppice.columns ADD COLUMN derived text;

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

-- What calls of users' functions gave: docs/formats/durable_results.md.
CREATE TABLE coppice.results (
  key         bytea PRIMARY KEY,    -- SHA-256 over function, code and arguments
  function_id text NOT NULL,        -- public.caption(image,text)
  code        text NOT NULL,        -- digest of what its results depend on besides the arguments
  value       bytea NOT NULL,       -- as the worker protocol packs it
  media       text,                 -- the object that the value names, kept as long as this row
  seconds     double precision NOT NULL,  -- what the call took
  made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  hits        bigint NOT NULL DEFAULT 0   -- calls that it saved
);
CREATE INDEX results_function ON coppice.results (function_id, code);
