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

-- How much may be sent to a model of a service, by all processes of the home. Nothing of it is worth
-- a disk's wait, and after a crash the buckets are full and nothing is in flight.
CREATE UNLOGGED TABLE coppice.service_limits (
  model            text PRIMARY KEY,          -- and where it is
  requests_level   double precision NOT NULL, -- in the bucket
  tokens_level     double precision NOT NULL, -- below zero: owed
  filled_at        timestamptz NOT NULL,
  learned_requests double precision,          -- a minute, as the service says
  learned_tokens   double precision,
  paused_until     timestamptz NOT NULL DEFAULT '-infinity'
);
-- Calls that a process may have in flight.
CREATE UNLOGGED TABLE coppice.service_slots (
  model      text NOT NULL,
  holder     text NOT NULL,     -- a process
  wanted     integer NOT NULL,
  slots      integer NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (model, holder)
);

-- Gives a process the next block of requests and tokens and its slots; first it hands back what it has
-- left of the last block (below zero: what it has spent beyond it). NULL limits are none. With no
-- request granted, wait_ms says when to ask again.
CREATE FUNCTION coppice.take_service_limits(
  in_model text, in_holder text, in_requests_per_minute double precision,
  in_tokens_per_minute double precision, in_in_flight integer, in_slots_used integer,
  in_requests_left integer, in_tokens_left double precision, in_requests_wanted integer,
  in_tokens_wanted double precision, in_seconds_valid double precision,
  OUT requests integer, OUT tokens double precision, OUT slots integer, OUT wait_ms double precision)
LANGUAGE plpgsql AS $$
DECLARE
  bucket coppice.service_limits;
  request_rate double precision;  -- a second
  token_rate double precision;
  moment timestamptz;
  elapsed double precision;
  others_slots integer;
  others_wanted integer;
  holders integer;
BEGIN
  INSERT INTO coppice.service_limits (model, requests_level, tokens_level, filled_at)
    VALUES (in_model, 'infinity', 'infinity', clock_timestamp()) ON CONFLICT DO NOTHING;
  SELECT * INTO bucket FROM coppice.service_limits l WHERE l.model = in_model FOR UPDATE;
  moment := clock_timestamp();
  -- A clock that was set back fills nothing.
  elapsed := greatest(0, extract(epoch FROM moment - bucket.filled_at));
  request_rate := least(in_requests_per_minute, bucket.learned_requests) / 60;
  token_rate := least(in_tokens_per_minute, bucket.learned_tokens) / 60;
  -- Without a limit the bucket is as good as full, and a block is more than anybody needs.
  requests := CASE WHEN request_rate IS NULL THEN 100000 ELSE in_requests_wanted END;
  tokens := CASE WHEN token_rate IS NULL THEN 1e12 ELSE in_tokens_wanted END;
  wait_ms := 0;
  bucket.requests_level := CASE WHEN request_rate IS NULL THEN 'infinity' ELSE
    least(greatest(1, request_rate),
          bucket.requests_level + in_requests_left + elapsed * request_rate) END;
  bucket.tokens_level := CASE WHEN token_rate IS NULL THEN 'infinity' ELSE
    least(greatest(1, token_rate),
          bucket.tokens_level + in_tokens_left + elapsed * token_rate) END;
  IF bucket.paused_until > moment THEN
    requests := 0;
    wait_ms := extract(epoch FROM bucket.paused_until - moment) * 1000;
  END IF;
  IF request_rate IS NOT NULL THEN
    requests := least(requests, floor(bucket.requests_level + 1e-6));
    IF requests < 1 THEN
      requests := 0;
      wait_ms := greatest(wait_ms, (1 - bucket.requests_level) / request_rate * 1000);
    END IF;
  END IF;
  IF token_rate IS NOT NULL AND bucket.tokens_level <= 0 THEN
    requests := 0;
    wait_ms := greatest(wait_ms, -bucket.tokens_level / token_rate * 1000);
  END IF;
  tokens := CASE WHEN requests = 0 THEN 0 ELSE least(tokens, bucket.tokens_level) END;
  UPDATE coppice.service_limits l
    SET requests_level = bucket.requests_level - requests,
        tokens_level = bucket.tokens_level - tokens, filled_at = moment
    WHERE l.model = in_model;
  IF in_in_flight IS NULL THEN RETURN; END IF;

  -- A fair share, or what nobody else wants; but never what others hold. What is in flight beyond that
  -- is held until it has ended.
  DELETE FROM coppice.service_slots s WHERE s.model = in_model AND s.expires_at < moment;
  SELECT coalesce(sum(s.slots), 0), coalesce(sum(s.wanted), 0), count(*) + 1
    INTO others_slots, others_wanted, holders
    FROM coppice.service_slots s WHERE s.model = in_model AND s.holder <> in_holder;
  slots := greatest(0, least(in_in_flight - others_slots,
                             greatest(in_in_flight / holders, in_in_flight - others_wanted, 1)));
  INSERT INTO coppice.service_slots AS s
    VALUES (in_model, in_holder, in_in_flight, greatest(slots, in_slots_used),
            moment + make_interval(secs => in_seconds_valid))
    ON CONFLICT (model, holder) DO UPDATE
      SET wanted = excluded.wanted, slots = excluded.slots, expires_at = excluded.expires_at;
END
$$;

-- What a service says in its headers. NULL: it does not say.
CREATE FUNCTION coppice.note_service_limits(
  in_model text, in_requests_per_minute double precision, in_tokens_per_minute double precision,
  in_pause_ms double precision)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO coppice.service_limits AS l
    VALUES (in_model, 'infinity', 'infinity', clock_timestamp(), in_requests_per_minute,
            in_tokens_per_minute,
            coalesce(clock_timestamp() + in_pause_ms * interval '1 millisecond', '-infinity'))
    ON CONFLICT (model) DO UPDATE
      SET learned_requests = coalesce(excluded.learned_requests, l.learned_requests),
          learned_tokens = coalesce(excluded.learned_tokens, l.learned_tokens),
          paused_until = greatest(l.paused_until, excluded.paused_until)
$$;

-- A process has nothing in flight: what it has left goes to others.
CREATE FUNCTION coppice.rest_service_limits(
  in_model text, in_holder text, in_requests_left integer, in_tokens_left double precision)
RETURNS void LANGUAGE sql AS $$
  DELETE FROM coppice.service_slots s WHERE s.model = in_model AND s.holder = in_holder;
  UPDATE coppice.service_limits l
    SET requests_level = l.requests_level + in_requests_left,
        tokens_level = l.tokens_level + in_tokens_left
    WHERE l.model = in_model
$$;
