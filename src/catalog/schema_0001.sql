-- Catalog format 1. Readable relational tables; docs/formats/catalog.md explains each.
CREATE SCHEMA coppice;
CREATE SCHEMA coppice_store;
CREATE SCHEMA coppice_asof;
COMMENT ON SCHEMA coppice IS 'Coppice: the catalog, media domains and engine functions';
COMMENT ON SCHEMA coppice_store IS 'Coppice: one table a user table, with every version of its rows';
COMMENT ON SCHEMA coppice_asof IS 'Coppice: views over older versions, made when first read';

CREATE DOMAIN coppice.image AS text;
CREATE DOMAIN coppice.video AS text;
CREATE DOMAIN coppice.audio AS text;
CREATE DOMAIN coppice.document AS text;

CREATE TABLE coppice.meta (
  key   text PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE coppice.schemas (
  schema_name text PRIMARY KEY,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO coppice.schemas VALUES ('public');

CREATE SEQUENCE coppice.ids;

-- A table and the materialized views over it: one version counter, one lock (this row).
CREATE TABLE coppice.trees (
  tree_id        bigint PRIMARY KEY DEFAULT nextval('coppice.ids'),
  version        bigint NOT NULL DEFAULT 0,
  last_op        bigint NOT NULL DEFAULT 0,
  schema_version bigint NOT NULL DEFAULT 0,
  floor_version  bigint NOT NULL DEFAULT 0,
  published_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  retention      text
);

CREATE TABLE coppice.tables (
  table_id    bigint PRIMARY KEY DEFAULT nextval('coppice.ids'),
  tree_id     bigint NOT NULL REFERENCES coppice.trees,
  schema_name text NOT NULL REFERENCES coppice.schemas,
  table_name  text NOT NULL,
  store_name  text NOT NULL UNIQUE,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (schema_name, table_name)
);

-- One row a column and span of versions in which its description was the same. `physical` is the
-- column of the store; it is written once per row and never reused.
CREATE TABLE coppice.columns (
  table_id     bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  column_id    bigint NOT NULL,
  from_version bigint NOT NULL,
  to_version   bigint,             -- the first version without this description; NULL: current
  physical     text NOT NULL,
  name         text NOT NULL,
  position     integer NOT NULL,
  type         text NOT NULL,      -- SQL, as the user reads it: 'numeric(10,2)', 'image'
  not_null     boolean NOT NULL DEFAULT false,
  default_sql  text,
  identity     text,               -- 'always' | 'by default'
  sequence     text,               -- of an identity or serial column
  expression   text,               -- of a computed column, as the user wrote it
  uses_engine  boolean NOT NULL DEFAULT false,
  on_error     text NOT NULL DEFAULT 'abort',
  backup       text NOT NULL DEFAULT 'auto',
  url_policy   text NOT NULL DEFAULT 'auto',  -- option references: 'take' | 'keep' | 'auto'
  comment      text,
  state        text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'filling')),
  PRIMARY KEY (table_id, column_id, from_version)
);

-- How the cells of a physical column were made from others when it was added: of a column whose type
-- was changed, or whose default differs by row. A revert to a version before it does the same.
CREATE TABLE coppice.conversions (
  table_id   bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  physical   text NOT NULL,
  expression text NOT NULL,         -- SQL over columns of the store
  PRIMARY KEY (table_id, physical)
);

CREATE TABLE coppice.constraints (
  constraint_id bigint PRIMARY KEY DEFAULT nextval('coppice.ids'),
  table_id      bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  name          text NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('primary key', 'unique', 'check')),
  columns       bigint[] NOT NULL,  -- column ids, in key order
  expression    text,               -- of a check, in the user's names
  store_name    text NOT NULL,      -- of the index or constraint in coppice_store
  nulls_distinct boolean NOT NULL DEFAULT true,  -- of a unique one
  UNIQUE (table_id, name)
);

CREATE TABLE coppice.indexes (
  index_id   bigint PRIMARY KEY DEFAULT nextval('coppice.ids'),
  table_id   bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  name       text NOT NULL,
  definition text NOT NULL,         -- the user's statement
  columns    bigint[] NOT NULL,
  store_name text NOT NULL
);

CREATE TABLE coppice.operations (
  tree_id       bigint NOT NULL,
  op_id         bigint NOT NULL,
  table_id      bigint,
  table_name    text NOT NULL,      -- as it was named then
  kind          text NOT NULL,      -- 'insert', 'update', 'delete', 'copy', 'create table', 'fill', …
  state         text NOT NULL CHECK (state IN
                  ('running', 'published', 'empty', 'failed', 'interrupted', 'conflict', 'discarded')),
  statement     text NOT NULL,
  author        text NOT NULL,
  begun_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at      timestamptz,
  backend_pid   integer,
  backend_start timestamptz,
  version       bigint,
  rows_inserted bigint NOT NULL DEFAULT 0,
  rows_updated  bigint NOT NULL DEFAULT 0,
  rows_deleted  bigint NOT NULL DEFAULT 0,
  error_count   bigint NOT NULL DEFAULT 0,
  progress_done  bigint NOT NULL DEFAULT 0,
  progress_total bigint NOT NULL DEFAULT 0,
  stage_name    text,               -- staging table in coppice_store, while it exists
  detail        jsonb,              -- what a resume needs
  message       text,
  PRIMARY KEY (tree_id, op_id)
);
CREATE INDEX operations_open ON coppice.operations (tree_id, op_id)
  WHERE state IN ('running', 'interrupted');
CREATE INDEX operations_recent ON coppice.operations (begun_at);

-- What is visible at a version: operations up to high_op, but for those in open_ops.
CREATE TABLE coppice.versions (
  tree_id        bigint NOT NULL REFERENCES coppice.trees ON DELETE CASCADE,
  version        bigint NOT NULL,
  op_id          bigint NOT NULL,
  published_at   timestamptz NOT NULL,
  high_op        bigint NOT NULL,
  open_ops       bigint[] NOT NULL,
  schema_version bigint NOT NULL,
  PRIMARY KEY (tree_id, version)
);
CREATE INDEX versions_time ON coppice.versions (tree_id, published_at);

CREATE TABLE coppice.snapshots (
  tree_id    bigint NOT NULL REFERENCES coppice.trees ON DELETE CASCADE,
  name       text NOT NULL,
  version    bigint NOT NULL,
  author     text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tree_id, name)
);

CREATE TABLE coppice.cell_errors (
  table_id    bigint NOT NULL REFERENCES coppice.tables ON DELETE CASCADE,
  column_id   bigint NOT NULL,
  row_id      bigint NOT NULL,
  op_id       bigint NOT NULL,
  type        text NOT NULL,
  message     text NOT NULL,
  happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (table_id, row_id, column_id, op_id)
);

CREATE TABLE coppice.views (
  view_id     bigint PRIMARY KEY DEFAULT nextval('coppice.ids'),
  schema_name text NOT NULL REFERENCES coppice.schemas,
  view_name   text NOT NULL,
  definition  text NOT NULL,        -- the query, as the user wrote it
  uses_engine boolean NOT NULL,
  kinds       jsonb NOT NULL DEFAULT '{}',  -- media kind of each column that has one
  comment     text,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (schema_name, view_name)
);

CREATE TABLE coppice.media (
  name       text PRIMARY KEY,      -- media:<sha256>.<ext>
  kind       text NOT NULL,
  mime       text NOT NULL,
  size_bytes bigint NOT NULL,
  facts      jsonb,
  added_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What http(s) references in cells gave when they were written: functions accept this content alone.
-- A row counts once its operation is published, and of several the one published last.
CREATE TABLE coppice.media_references (
  url_sha256 text NOT NULL,         -- a URL may be too long for an index
  tree_id    bigint NOT NULL,
  op_id      bigint NOT NULL,
  url        text NOT NULL,
  name       text,                  -- media:<sha256>.<ext> in HOME/cache; NULL: not looked at yet
  kind       text,
  mime       text,
  size_bytes bigint,
  etag       text,                  -- as the server gave it
  facts      jsonb,
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (url_sha256, tree_id, op_id)
);

-- The record that counts of each of these URLs at a moment. An operation that is not published yet
-- (in_tree, in_op) sees its own.
CREATE FUNCTION coppice.recorded_references(
  in_urls text[], in_tree bigint, in_op bigint, in_moment timestamptz DEFAULT 'infinity')
RETURNS SETOF coppice.media_references LANGUAGE sql STABLE AS $$
  SELECT DISTINCT ON (r.url_sha256) r.*
  FROM coppice.media_references r JOIN coppice.operations o USING (tree_id, op_id)
  WHERE r.url_sha256 = ANY (in_urls)
    AND (o.state = 'published' AND o.ended_at <= in_moment
         OR r.tree_id = in_tree AND r.op_id = in_op)
  ORDER BY r.url_sha256, coalesce(r.tree_id = in_tree AND r.op_id = in_op, false) DESC,
           o.ended_at DESC, r.tree_id, r.op_id DESC
$$;

-- Draws the id of an operation and lists it as running. Its own short transaction.
CREATE FUNCTION coppice.begin_operation(
  in_tree bigint, in_table bigint, in_name text, in_kind text, in_statement text, in_author text,
  OUT op_id bigint, OUT version bigint, OUT schema_version bigint)
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE coppice.trees t SET last_op = t.last_op + 1 WHERE t.tree_id = in_tree
    RETURNING t.last_op, t.version, t.schema_version
    INTO begin_operation.op_id, begin_operation.version, begin_operation.schema_version;
  IF NOT FOUND THEN RETURN; END IF;
  INSERT INTO coppice.operations
    (tree_id, op_id, table_id, table_name, kind, state, statement, author, backend_pid, backend_start)
  SELECT in_tree, begin_operation.op_id, in_table, in_name, in_kind, 'running', in_statement,
         in_author, a.pid, a.backend_start
  FROM pg_stat_get_activity(pg_backend_pid()) a;
END $$;

-- Publishes an operation: locks the tree, takes the next version, records the snapshot.
-- With in_check_rows, publishes nothing and returns the operations that replaced rows since
-- in_seen_version, if there are any, and the version then: the caller evaluates those rows again
-- and calls once more.
CREATE FUNCTION coppice.publish(
  in_tree bigint, in_op bigint, in_schema_version bigint, in_seen_version bigint,
  in_check_rows boolean, in_inserted bigint, in_updated bigint, in_deleted bigint,
  in_errors bigint, in_changes_schema boolean,
  OUT version bigint, OUT concurrent_ops bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  tree coppice.trees;
  moment timestamptz;
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
                 AND o.state IN ('running', 'interrupted') ORDER BY 1),
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

-- UPDATE … SET a[2] = x, a[1:2] = x, j['k'] = x: the whole new value. An UPDATE here writes new rows.
CREATE FUNCTION coppice_store.with_element(in_array anyarray, in_at int[], in_value anyelement)
RETURNS anyarray LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  CASE cardinality(in_at)
    WHEN 1 THEN in_array[in_at[1]] := in_value;
    WHEN 2 THEN in_array[in_at[1]][in_at[2]] := in_value;
    WHEN 3 THEN in_array[in_at[1]][in_at[2]][in_at[3]] := in_value;
    ELSE RAISE EXCEPTION 'an element of more than three dimensions cannot be assigned'
      USING ERRCODE = 'feature_not_supported';
  END CASE;
  RETURN in_array;
END $$;

CREATE FUNCTION coppice_store.with_slice(in_array anyarray, in_from int, in_to int, in_value anyarray)
RETURNS anyarray LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF in_from IS NULL OR in_to IS NULL THEN
    RAISE EXCEPTION 'array subscript in assignment must not be null'
      USING ERRCODE = 'null_value_not_allowed';
  END IF;
  IF in_value IS NULL THEN RETURN in_array; END IF;
  IF in_to < in_from THEN
    RAISE EXCEPTION 'upper bound cannot be less than lower bound'
      USING ERRCODE = 'array_subscript_error';
  END IF;
  IF in_to - in_from >= cardinality(in_value) THEN
    RAISE EXCEPTION 'source array too small' USING ERRCODE = 'array_subscript_error';
  END IF;
  -- One by one: PostgreSQL 13 has no in_array[in_from:in_to] := in_value.
  FOR i IN in_from..in_to LOOP
    in_array[i] := in_value[array_lower(in_value, 1) + i - in_from];
  END LOOP;
  RETURN in_array;
END $$;

CREATE FUNCTION coppice_store.with_subscript(in_document jsonb, in_path text[], in_value jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  CASE cardinality(in_path)
    WHEN 1 THEN in_document[in_path[1]] := in_value;
    WHEN 2 THEN in_document[in_path[1]][in_path[2]] := in_value;
    WHEN 3 THEN in_document[in_path[1]][in_path[2]][in_path[3]] := in_value;
    ELSE RAISE EXCEPTION 'a part that lies more than three levels deep cannot be assigned'
      USING ERRCODE = 'feature_not_supported', HINT = 'use jsonb_set()';
  END CASE;
  RETURN in_document;
END $$;

-- Users' tables are views; their rows change through Coppice alone, or history would be lost.
CREATE FUNCTION coppice.refuse_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table %.% is kept by Coppice: this connection may only read it',
    quote_ident(TG_TABLE_SCHEMA), quote_ident(TG_TABLE_NAME)
    USING ERRCODE = 'read_only_sql_transaction',
          HINT = 'Change it with: coppice sql "' || TG_OP || ' …"';
END $$;

-- Keeps the failure of a cell whose column says on_error 'ignore'. Called by compute triggers.
CREATE FUNCTION coppice.note_cell_error(
  in_table bigint, in_column bigint, in_row bigint, in_op bigint, in_type text, in_message text)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO coppice.cell_errors (table_id, column_id, row_id, op_id, type, message)
  VALUES (in_table, in_column, in_row, in_op, in_type, in_message)
  ON CONFLICT (table_id, row_id, column_id, op_id)
  DO UPDATE SET type = excluded.type, message = excluded.message
$$;

-- Gives the readers of one relation the right to read another.
CREATE FUNCTION coppice.copy_select_grants(in_from text, in_to text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  reader record;
BEGIN
  FOR reader IN
    SELECT DISTINCT a.grantee, a.grantee = 0 AS is_public
    FROM pg_class c, LATERAL aclexplode(c.relacl) a
    WHERE c.oid = in_from::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT SELECT ON %s TO %s', in_to::regclass,
      CASE WHEN reader.is_public THEN 'PUBLIC' ELSE reader.grantee::regrole::text END);
  END LOOP;
END $$;

-- The statements that give a relation its grants and comments again after it was made anew.
CREATE FUNCTION coppice.rights_and_comments(in_relation text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
  SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, in_relation,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_class c, LATERAL aclexplode(c.relacl) a
  WHERE c.oid = in_relation::regclass AND a.grantee <> c.relowner
  UNION ALL
  SELECT format('GRANT %s (%I) ON %s TO %s', a.privilege_type, t.attname, in_relation,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
  FROM pg_attribute t, LATERAL aclexplode(t.attacl) a
  WHERE t.attrelid = in_relation::regclass AND NOT t.attisdropped
  UNION ALL
  SELECT format('COMMENT ON %s IS %L',
           CASE WHEN d.objsubid = 0 THEN 'VIEW ' || in_relation
                ELSE 'COLUMN ' || in_relation || '.' || quote_ident(t.attname) END, d.description)
  FROM pg_description d
  LEFT JOIN pg_attribute t ON t.attrelid = d.objoid AND t.attnum = d.objsubid
  WHERE d.classoid = 'pg_class'::regclass AND d.objoid = in_relation::regclass
$$;

-- The views that read a relation, directly or through others, nearest first.
CREATE FUNCTION coppice.dependent_views(in_relation text)
RETURNS TABLE (schema_name text, view_name text, ours boolean, definition text, depth integer)
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE reading AS (
    SELECT in_relation::regclass::oid AS oid, 0 AS depth
    UNION
    SELECT r.ev_class, reading.depth + 1
    FROM reading
    JOIN pg_depend d ON d.refobjid = reading.oid AND d.refclassid = 'pg_class'::regclass
      AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> reading.oid
    WHERE reading.depth < 100
  )
  SELECT n.nspname::text, c.relname::text, v.view_id IS NOT NULL,
         CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END, max(reading.depth)
  FROM reading
  JOIN pg_class c ON c.oid = reading.oid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN coppice.views v ON v.schema_name = n.nspname AND v.view_name = c.relname
  WHERE reading.depth > 0
  GROUP BY 1, 2, 3, 4
  ORDER BY max(reading.depth)
$$;
