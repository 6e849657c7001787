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
  money       numeric NOT NULL DEFAULT 0, -- what it cost, by the prices of then
  made_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  used_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  hits        bigint NOT NULL DEFAULT 0   -- calls that it saved
);
CREATE INDEX results_function ON coppice.results (function_id, code);

-- What calls of users' functions have cost: docs/formats/spending.md.
CREATE TABLE coppice.spending (
  operation   text NOT NULL,        -- '12-5'; or 'query', 'estimate': work that is no operation
  function_id text NOT NULL,
  day         date NOT NULL,        -- UTC
  calls       bigint NOT NULL,      -- that gave a value
  failures    bigint NOT NULL,      -- that did not
  kept        bigint NOT NULL,      -- that need not be made: their results were kept
  requests    bigint NOT NULL,      -- sent, with every attempt
  tokens_in   bigint NOT NULL,
  tokens_out  bigint NOT NULL,
  money       numeric NOT NULL,
  seconds     double precision NOT NULL,  -- of all calls, each by itself
  begun_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (operation, function_id, day)
);
-- Its sums, for budgets: 'home', 'day 2026-11-22', 'function public.ask(text)', 'operation 12-5'.
CREATE TABLE coppice.spent (
  scope text PRIMARY KEY,
  money numeric NOT NULL
);
-- What processes have set aside for calls that they make, or are about to. It holds as long as the
-- session that wrote it; after a crash of the server nothing is under way.
CREATE UNLOGGED TABLE coppice.budget_holds (
  holder        text NOT NULL,      -- a process
  function_id   text NOT NULL,
  operation     text NOT NULL,
  money         numeric NOT NULL,
  backend_pid   integer NOT NULL,
  backend_start timestamptz NOT NULL,
  PRIMARY KEY (holder, function_id)
);
-- What an operation may cost; NULL: as much as it does.
ALTER TABLE coppice.operations ADD COLUMN budget numeric;

-- Adds to what was spent, and says how much of what was set aside is still needed.
CREATE FUNCTION coppice.settle_spending(
  in_holder text, in_operation text, in_function text, in_calls bigint, in_failures bigint,
  in_kept bigint, in_requests bigint, in_tokens_in bigint, in_tokens_out bigint, in_money numeric,
  in_seconds double precision, in_hold numeric)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
  part text;
BEGIN
  IF in_money <> 0 THEN
    FOREACH part IN ARRAY array['home', 'day ' || today, 'function ' || in_function,
                                'operation ' || substring(in_operation FROM '^\d+-\d+$')] LOOP
      CONTINUE WHEN part IS NULL;
      INSERT INTO coppice.spent AS s VALUES (part, in_money)
        ON CONFLICT (scope) DO UPDATE SET money = s.money + excluded.money;
    END LOOP;
  END IF;
  INSERT INTO coppice.spending AS s (operation, function_id, day, calls, failures, kept, requests,
                                     tokens_in, tokens_out, money, seconds)
    VALUES (in_operation, in_function, today, in_calls, in_failures, in_kept, in_requests,
            in_tokens_in, in_tokens_out, in_money, in_seconds)
    ON CONFLICT (operation, function_id, day) DO UPDATE
      SET calls = s.calls + excluded.calls, failures = s.failures + excluded.failures,
          kept = s.kept + excluded.kept, requests = s.requests + excluded.requests,
          tokens_in = s.tokens_in + excluded.tokens_in,
          tokens_out = s.tokens_out + excluded.tokens_out, money = s.money + excluded.money,
          seconds = s.seconds + excluded.seconds, ended_at = excluded.ended_at;
  IF in_hold = 0 THEN
    DELETE FROM coppice.budget_holds h WHERE h.holder = in_holder AND h.function_id = in_function;
  ELSE
    UPDATE coppice.budget_holds h SET money = in_hold
      WHERE h.holder = in_holder AND h.function_id = in_function;
  END IF;
END
$$;

-- Sets money aside for the calls of a process: what it has in flight and `in_each` more at least,
-- `in_wanted` in all at most. granted 0: no budget has room for another call; then `is_full` says
-- that it will not have while nothing is raised, and scope, cap and spent, of which budget that is.
-- Else others hold what is left. NULL caps are none.
CREATE FUNCTION coppice.reserve_budget(
  in_holder text, in_operation text, in_function text, in_function_cap numeric,
  in_home_cap numeric, in_day_cap numeric, in_in_flight numeric, in_each numeric,
  in_wanted numeric,
  OUT granted numeric, OUT is_full boolean, OUT scope text, OUT cap numeric, OUT spent numeric)
LANGUAGE plpgsql AS $$
DECLARE
  operation_cap numeric;
  own_pid integer := pg_backend_pid();
  own_start timestamptz := (SELECT a.backend_start FROM pg_stat_get_activity(pg_backend_pid()) a);
  budget record;
  others numeric;
BEGIN
  -- One process at a time asks.
  INSERT INTO coppice.spent VALUES ('home', 0) ON CONFLICT DO NOTHING;
  PERFORM FROM coppice.spent s WHERE s.scope = 'home' FOR UPDATE;
  DELETE FROM coppice.budget_holds h WHERE NOT EXISTS (
    SELECT FROM pg_stat_get_activity(h.backend_pid) a WHERE a.backend_start = h.backend_start);
  IF in_operation ~ '^\d+-\d+$' THEN
    SELECT o.budget INTO operation_cap FROM coppice.operations o
      WHERE o.tree_id = split_part(in_operation, '-', 1)::bigint
        AND o.op_id = split_part(in_operation, '-', 2)::bigint;
  END IF;
  granted := in_wanted;
  is_full := false;
  FOR budget IN
    SELECT b.name, b.most, coalesce((SELECT s.money FROM coppice.spent s WHERE s.scope = b.name), 0)
      AS used, b.kind
    FROM (VALUES ('operation ' || in_operation, operation_cap, 'operation'),
                 ('function ' || in_function, in_function_cap, 'function'),
                 ('day ' || (clock_timestamp() AT TIME ZONE 'UTC')::date, in_day_cap, 'home'),
                 ('home', in_home_cap, 'home')) AS b(name, most, kind)
    WHERE b.most IS NOT NULL
  LOOP
    SELECT coalesce(sum(h.money), 0) INTO others FROM coppice.budget_holds h
      WHERE NOT (h.holder = in_holder AND h.function_id = in_function)
        AND CASE budget.kind WHEN 'operation' THEN h.operation = in_operation
            WHEN 'function' THEN h.function_id = in_function ELSE true END;
    granted := least(granted, budget.most - budget.used - others);
    IF budget.most - budget.used < in_each AND NOT is_full THEN
      is_full := true;
      scope := budget.name;
      cap := budget.most;
      spent := budget.used;
    END IF;
  END LOOP;
  IF is_full OR granted < in_in_flight + in_each THEN granted := 0; END IF;
  IF granted = 0 AND in_in_flight = 0 THEN
    DELETE FROM coppice.budget_holds h WHERE h.holder = in_holder AND h.function_id = in_function;
    RETURN;
  END IF;
  INSERT INTO coppice.budget_holds AS h
    VALUES (in_holder, in_function, in_operation, greatest(granted, in_in_flight), own_pid, own_start)
    ON CONFLICT (holder, function_id) DO UPDATE
      SET operation = excluded.operation, money = excluded.money,
          backend_pid = excluded.backend_pid, backend_start = excluded.backend_start;
END
$$;

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

-- An operation may be paused: what it has done stays, and nobody goes on with it but on request.
ALTER TABLE coppice.operations DROP CONSTRAINT operations_state_check;
ALTER TABLE coppice.operations ADD CONSTRAINT operations_state_check CHECK (state IN
  ('running', 'published', 'empty', 'failed', 'interrupted', 'paused', 'conflict', 'discarded',
   'cancelled'));
DROP INDEX coppice.operations_open;
CREATE INDEX operations_open ON coppice.operations (tree_id, op_id)
  WHERE state IN ('running', 'interrupted', 'paused');
-- What another process asks the one that runs it for: 'pause' or 'cancel', and who.
ALTER TABLE coppice.operations
  ADD COLUMN asked text CHECK (asked IN ('pause', 'cancel')), ADD COLUMN asked_by text;

-- Which rows of a fill a process computes: those behind (after_from, after_row) up to the end, in the
-- order of (_from, _row). Whoever takes a claim over gives it another fence.
CREATE TABLE coppice.fill_claims (
  tree_id       bigint NOT NULL,
  op_id         bigint NOT NULL,
  claim_id      bigint GENERATED ALWAYS AS IDENTITY,
  fence         bigint NOT NULL DEFAULT 1,
  after_from    bigint NOT NULL,
  after_row     bigint NOT NULL,
  end_from      bigint NOT NULL,
  end_row       bigint NOT NULL,
  publishing    boolean NOT NULL,    -- no rows: the right to publish
  backend_pid   integer NOT NULL,
  backend_start timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  PRIMARY KEY (tree_id, op_id, claim_id)
);
-- The sessions that work on one operation together.
CREATE TABLE coppice.job_workers (
  tree_id       bigint NOT NULL,
  op_id         bigint NOT NULL,
  backend_pid   integer NOT NULL,
  backend_start timestamptz NOT NULL,
  PRIMARY KEY (tree_id, op_id, backend_pid, backend_start)
);

-- How far an operation was during the last half minute, a sample a second or so.
ALTER TABLE coppice.operations
  ADD COLUMN sample_times timestamptz[], ADD COLUMN sample_rows bigint[];

-- Of a background job: {"words": of its command, "folder": where it was given, "starts": of its
-- process without getting further, "mark": progress_done at the last of them}.
ALTER TABLE coppice.operations ADD COLUMN background jsonb;

-- Rows of an operation that are done, and rows that are found to be still to do. Gives the sums, and
-- the rate: rows a second over the window of the samples, by all processes that work on it.
CREATE FUNCTION coppice.note_progress(
  in_tree bigint, in_op bigint, in_done bigint, in_found bigint,
  OUT done bigint, OUT total bigint, OUT rate double precision)
LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  times timestamptz[];
  counts bigint[];
BEGIN
  UPDATE coppice.operations o
    SET progress_done = o.progress_done + in_done, progress_total = o.progress_total + in_found
    WHERE o.tree_id = in_tree AND o.op_id = in_op
    RETURNING o.progress_done, o.progress_total, o.sample_times, o.sample_rows
    INTO done, total, times, counts;
  IF times IS NULL OR moment - times[cardinality(times)] >= interval '1 second' THEN
    times := times || moment;
    counts := counts || done;
    WHILE cardinality(times) > 2 AND moment - times[2] > interval '30 seconds' LOOP
      times := times[2:];
      counts := counts[2:];
    END LOOP;
    UPDATE coppice.operations o SET sample_times = times, sample_rows = counts
      WHERE o.tree_id = in_tree AND o.op_id = in_op;
  END IF;
  IF moment - times[1] >= interval '200 milliseconds' THEN
    rate := (done - counts[1]) / extract(epoch FROM moment - times[1]);
  END IF;
END $$;

-- The same rate for those who look on.
CREATE FUNCTION coppice.progress_rate(in_operation coppice.operations) RETURNS double precision
LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN in_operation.state = 'running'
    AND clock_timestamp() - in_operation.sample_times[1] >= interval '200 milliseconds'
    THEN (in_operation.progress_done - in_operation.sample_rows[1])
      / extract(epoch FROM clock_timestamp() - in_operation.sample_times[1]) END
$$;

-- As in format 1, but paused operations are open, and one that is to be cancelled is not published.
CREATE OR REPLACE FUNCTION coppice.publish(
  in_tree bigint, in_op bigint, in_schema_version bigint, in_seen_version bigint,
  in_check_rows boolean, in_inserted bigint, in_updated bigint, in_deleted bigint,
  in_errors bigint, in_changes_schema boolean,
  OUT version bigint, OUT concurrent_ops bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  tree coppice.trees;
  moment timestamptz;
  request text;
BEGIN
  SELECT * INTO tree FROM coppice.trees t WHERE t.tree_id = in_tree FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the table was dropped meanwhile' USING ERRCODE = 'CP002';
  END IF;
  IF tree.schema_version <> in_schema_version THEN
    RAISE EXCEPTION 'the table was altered meanwhile' USING ERRCODE = 'CP001';
  END IF;
  IF in_check_rows AND tree.version > in_seen_version THEN
    SELECT array_agg(o.op_id) INTO concurrent_ops
    FROM coppice.versions v JOIN coppice.operations o USING (tree_id, op_id)
    WHERE v.tree_id = in_tree AND v.version > in_seen_version AND o.rows_updated > 0;
    IF concurrent_ops IS NOT NULL THEN
      version := tree.version;  -- what the caller has seen when it has looked at those rows
      RETURN;
    END IF;
  END IF;
  -- Who asks to cancel locks this row: the request comes before the version, or too late.
  SELECT o.asked INTO request FROM coppice.operations o
    WHERE o.tree_id = in_tree AND o.op_id = in_op FOR UPDATE;
  IF request = 'cancel' THEN
    RAISE EXCEPTION 'the operation was cancelled' USING ERRCODE = 'query_canceled';
  END IF;
  IF in_inserted + in_updated + in_deleted = 0 AND NOT in_changes_schema THEN
    UPDATE coppice.operations o SET state = 'empty', ended_at = clock_timestamp(), stage_name = NULL
    WHERE o.tree_id = in_tree AND o.op_id = in_op;
    RETURN;
  END IF;
  version := tree.version + 1;
  moment := greatest(clock_timestamp(), tree.published_at + interval '1 microsecond');
  INSERT INTO coppice.versions
  SELECT in_tree, publish.version, in_op, moment, tree.last_op,
         array(SELECT o.op_id FROM coppice.operations o
               WHERE o.tree_id = in_tree AND o.op_id <> in_op
                 AND o.state IN ('running', 'interrupted', 'paused') ORDER BY 1),
         tree.schema_version + in_changes_schema::int;
  UPDATE coppice.trees t
  SET version = publish.version, published_at = moment,
      schema_version = t.schema_version + in_changes_schema::int
  WHERE t.tree_id = in_tree;
  UPDATE coppice.operations o
  SET state = 'published', version = publish.version, ended_at = moment, stage_name = NULL,
      rows_inserted = in_inserted, rows_updated = in_updated, rows_deleted = in_deleted,
      error_count = in_errors
  WHERE o.tree_id = in_tree AND o.op_id = in_op;
END $$;

-- Sums over the cells of a column, or over whole rows, kept between two calls of `coppice root`:
-- docs/formats/root.md. They are brought up to later versions by what came and went since.
CREATE TABLE coppice.root_sums (
  table_id  bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  scope     text NOT NULL,         -- 'c7 by c1,c2'; 'rows c1,c7'
  version   bigint NOT NULL,       -- the sum is over the rows that are visible then
  row_count bigint NOT NULL,
  lanes     bytea NOT NULL,
  PRIMARY KEY (table_id, scope)
);

-- Versions that must stay while somebody reads them outside a transaction: a backup.
CREATE TABLE coppice.pins (
  pin_id     text NOT NULL,
  tree_id    bigint NOT NULL REFERENCES coppice.trees ON DELETE CASCADE,
  version    bigint NOT NULL,      -- and all after it
  who        text NOT NULL,        -- 'a backup by root, on host films'
  expires_at timestamptz NOT NULL, -- its holder puts it off again and again
  PRIMARY KEY (pin_id, tree_id)
);

-- Drills of backups: restores into a scratch home, proven and measured. Times are the client's. The
-- report is kept in the repository, too: docs/formats/drill_report.md.
CREATE TABLE coppice.drills (
  drill_id    text PRIMARY KEY,     -- 64 digits: the report's name in the repository
  began_at    timestamptz NOT NULL,
  ended_at    timestamptz NOT NULL,
  repository  text NOT NULL,        -- its id, 32 digits
  backup_id   text NOT NULL,        -- 64 digits
  passed      boolean NOT NULL,
  rto_seconds float8,               -- of the whole restore; NULL: it did not end
  rpo_seconds float8,               -- the loss window; NULL: not known
  report      text NOT NULL         -- signed, JSON
);
CREATE INDEX ON coppice.drills (began_at);

-- Backups that were made of this home by itself, wherever they lie; `status` goes by them. They are
-- in no backup, as all that follows: they are about this home, not about what is in it.
CREATE TABLE coppice.backups (
  backup_id     text PRIMARY KEY,     -- 64 digits
  moment        timestamptz NOT NULL, -- its point
  ended_at      timestamptz NOT NULL,
  repository    text NOT NULL,        -- its address, without secrets
  root          text NOT NULL,
  seconds       float8 NOT NULL,
  bytes_written bigint NOT NULL,
  damaged       bigint NOT NULL,      -- media objects that could not be read
  suspect       text NOT NULL,        -- why it is; empty: it is not
  confirmed_at  timestamptz,          -- somebody has looked at one that is suspect
  confirmed_by  text,
  note          text
);
CREATE INDEX ON coppice.backups (ended_at);

-- Tasks of the schedule (config.toml), and since when they have had their calendar: times before
-- that are not made up for.
CREATE TABLE coppice.scheduled_tasks (
  task     text PRIMARY KEY,          -- 'backup', 'forget', 'prune', 'verify', 'drill'
  calendar text NOT NULL,             -- 'daily 02:30'
  since    timestamptz NOT NULL
);

-- What became of each run of a task.
CREATE TABLE coppice.scheduled_runs (
  run_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task     text NOT NULL,
  began_at timestamptz NOT NULL,
  ended_at timestamptz,               -- NULL: it runs, or died
  outcome  text NOT NULL DEFAULT 'running'
    CHECK (outcome IN ('running', 'done', 'partly', 'failed', 'interrupted')),
  error    text,                      -- of 'partly' and 'failed'
  part     integer                    -- verify: which part of the data was read, from 0
);
CREATE INDEX ON coppice.scheduled_runs (task, run_id);
