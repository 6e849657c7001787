#!/usr/bin/python3
"""Backups of databases through pg_dump, with and without folders: restores, failures, secrets, retention, drills."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import new_database  # noqa: E402
from support.coppice import Home, psql, wait_until  # noqa: E402
from support.other_data import Sources  # noqa: E402
from support.roots import owner_url  # noqa: E402

SHOP = """
CREATE ROLE {role} NOLOGIN;
CREATE SCHEMA sales;
CREATE TYPE sales.mood AS ENUM ('good', 'bad');
CREATE TABLE sales.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, total numeric(12,2),
  note text, data jsonb, raw bytea, tags text[], x float8, mood sales.mood, span int4range);
INSERT INTO sales.orders (at, total, note, data, raw, tags, x, mood, span)
  SELECT to_timestamp(i), i / 7.0, CASE WHEN i % 5 = 0 THEN NULL ELSE E'line\\n\\t\\\\ ' || i END,
    jsonb_build_object('n', i), decode(md5(i::text), 'hex'), ARRAY['a', NULL, 'ü'], CASE WHEN i = 3 THEN 'NaN' ELSE i / 3.0 END,
    'good', int4range(i, i + 5) FROM generate_series(1, 3000) i;
ALTER TABLE sales.orders OWNER TO {role};
CREATE VIEW sales.large AS SELECT id FROM sales.orders WHERE total > 100;
CREATE FUNCTION sales.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE INDEX ON sales.orders (total) WHERE total > 5;
SELECT lo_from_bytea(4711, decode('00ff00', 'hex'));
"""
CONTENT = """
SELECT md5(string_agg(o::text, ';' ORDER BY id)), count(*), pg_get_userbyid(min(c.relowner::bigint)::oid),
  sales.twice(21), (SELECT count(*) FROM sales.large), encode(lo_get(4711), 'hex')
FROM sales.orders o, pg_class c WHERE c.oid = 'sales.orders'::regclass
"""


class Databases(Sources):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = owner_url(Home.make(cls))

    def shop(self):
        role = "clerk_" + os.urandom(4).hex()
        # Behind its database: cleanups run backwards.
        self.addCleanup(psql, self.server, f"DROP ROLE IF EXISTS {role}", check=False)
        url = new_database(self, self.server)
        psql(url, SHOP.format(role=role))
        return url, role

    def lock(self, url):
        """Keeps pg_dump waiting until what is returned is called."""
        locker = subprocess.Popen(["psql", "--quiet", "--dbname", url], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, text=True)  # fmt: skip
        self.addCleanup(locker.kill)
        locker.stdin.write("BEGIN; LOCK TABLE sales.orders;\n")
        locker.stdin.flush()
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'sales.orders'::regclass"
        wait_until(lambda: psql(url, held).stdout.strip() == "1", "no lock")

        def release():
            locker.stdin.close()
            locker.wait()

        return release

    def test_a_database_comes_back(self):
        url, role = self.shop()
        self.fill()
        before = psql(url, CONTENT).stdout
        report, _ = self.back_up("--pg-dump", url, "--files", str(self.data))
        self.assertGreater(report["dump_bytes"], 300_000)
        again, _ = self.back_up("--pg-dump", url, "--files", str(self.data))
        self.assertLess(again["bytes_written"], report["bytes_written"] / 5)
        psql(url, f"DROP TABLE sales.orders CASCADE; DROP ROLE {role}")
        self.assertIn("not empty", self.refused("restore", "--to-database", url, code=5))
        empty = new_database(self, self.server)
        restored, said = self.restore("--to-database", empty, "--to-files", str(self.place / "back"))
        self.assertTrue(restored["equal"])
        self.assertIn(f"the role {role} was made without LOGIN", said)
        self.assertEqual(psql(empty, CONTENT).stdout, before)
        psql(empty, "INSERT INTO sales.orders (note) VALUES ('next')")
        psql(empty, f"DROP OWNED BY {role} CASCADE")

    def test_the_dump_goes_to_pg_restore(self):
        url, role = self.shop()
        self.back_up("--pg-dump", url)
        listed = self.repository.call(self.nowhere, "backup", "ls", "latest", "--csv").stdout.splitlines()
        self.assertTrue(listed[1].startswith("dump,"))
        printed = self.repository.call(self.nowhere, "backup", "cat", "latest:dump", stdin=b"")
        empty = new_database(self, self.server)
        done = subprocess.run(["pg_restore", "--exit-on-error", "--dbname", empty], input=printed.stdout,
                              capture_output=True)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(psql(empty, CONTENT).stdout, psql(url, CONTENT).stdout)

    def test_a_dump_that_fails_leaves_no_backup(self):
        url, role = self.shop()
        gone = self.repository.call(self.nowhere, "backup", "create", "--pg-dump", url.replace("coppice_test_", "no_"))
        self.assertNotEqual(gone.returncode, 0)
        self.assertIn("does not exist", gone.stderr)
        self.back_up("--files", str(self.data))
        kept = self.repository.list(self.nowhere)
        # A role that may connect, and read nothing.
        psql(url, f"CREATE ROLE {role}_reader; REVOKE ALL ON SCHEMA sales FROM public")
        self.addCleanup(psql, self.server, f"DROP ROLE IF EXISTS {role}_reader", check=False)
        result = self.repository.call(self.nowhere, "backup", "create", "--pg-dump", url,
                                      environment={"PGOPTIONS": f"-c role={role}_reader"})  # fmt: skip
        self.assertEqual(result.returncode, 1)
        self.assertIn("pg_dump failed (exit code 1)", result.stderr)
        self.assertIn("permission denied", result.stderr)
        self.assertEqual(self.repository.list(self.nowhere), kept)

    def test_no_password_is_kept_or_shown(self):
        url, role = self.shop()
        secret = "s3cret-canary"
        psql(url, f"ALTER ROLE {role} LOGIN PASSWORD '{secret}'")
        owner = {"SHOP": url + ("&" if "?" in url else "?") + f"password={secret}"}
        report, said = self.back_up("--pg-dump", "env:SHOP", environment=owner)
        shown = self.repository.call(self.nowhere, "backup", "show", "latest").stdout
        listed = self.repository.call(self.nowhere, "backup", "list", "--json").stdout
        self.assertNotIn(secret, said + shown + listed + json.dumps(report))
        printed = self.repository.call(self.nowhere, "backup", "cat", "latest:dump", stdin=b"")
        self.assertNotIn(secret.encode(), printed.stdout)
        for path in self.repository.objects():
            self.assertNotIn(secret.encode(), path.read_bytes())
        # The words of the programs, while they wait for a lock.
        release = self.lock(url)
        slow = self.nowhere.start("backup", "create", *self.repository.flags, "--pg-dump", owner["SHOP"],
                                  environment=self.repository.environment)  # fmt: skip
        seen = {}

        def is_seen():
            for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = process.read_bytes().split(b"\0")
                except OSError:
                    continue
                if os.fsencode(url.rpartition("/")[2].partition("?")[0]) in b" ".join(words):
                    seen[pathlib.PurePath(os.fsdecode(words[0])).name] = b" ".join(words)
            return {"pg_dump", "coppice"} <= set(seen)

        wait_until(is_seen, "pg_dump was not seen")
        is_seen()
        release()
        said = "".join(slow.communicate())
        self.assertEqual(slow.returncode, 0, said)
        for words in seen.values():
            self.assertNotIn(secret.encode(), words)
        self.assertNotIn(secret, said)

    def test_homes_and_sources_are_kept_apart(self):
        url, role = self.shop()
        (self.data / "a").write_text("a")
        self.back_up("--files", str(self.data))
        self.back_up("--files", str(self.data))
        self.back_up("--pg-dump", url)
        home = Home(self.place / "home", self.place)
        home.run("init", "--database", new_database(self, self.server))
        home.sql("CREATE TABLE t (id int PRIMARY KEY)")
        self.repository.back_up(home)
        listed = self.repository.list(home)
        self.assertEqual([backup["kind"] for backup in listed], ["other data"] * 3 + ["coppice home"])
        # The latest of its kind.
        restored, _ = self.restore("--to-files", str(self.place / "back"), "--backup", listed[1]["id"])
        self.assertTrue(restored["equal"])
        self.repository.call(home, "backup", "forget", "--keep-last", "1", "--yes")
        self.assertEqual([backup["id"] for backup in self.repository.list(home)],
                         [backup["id"] for backup in listed[1:]])  # fmt: skip
        self.assertEqual(self.repository.call(home, "backup", "prune", "--yes", "--wait", "0").returncode, 0)
        verified, _ = self.repository.report(home, "backup", "verify", "--data", "--rows")
        self.assertTrue(verified["intact"])

    def test_kills_in_dump_and_restore_leave_nothing_half(self):
        url, role = self.shop()
        killed = self.repository.call(self.nowhere, "backup", "create", "--pg-dump", url,
                                      environment={"COPPICE_CRASH_AT": "other_data.dump_read"})  # fmt: skip
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        self.assertEqual(self.repository.list(self.nowhere), [])
        self.back_up("--pg-dump", url)
        empty = new_database(self, self.server)
        killed = self.repository.call(self.nowhere, "restore", "--to-database", empty,
                                      environment={"COPPICE_CRASH_AT": "other_data.dump_loaded"})  # fmt: skip
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        self.assertEqual(psql(empty, CONTENT).stdout, psql(url, CONTENT).stdout)
        empty = new_database(self, self.server)
        process = self.nowhere.start("restore", "--to-database", empty, *self.repository.flags,
                                     environment=self.repository.environment)  # fmt: skip
        time.sleep(0.15)
        process.kill()
        process.communicate()
        wait_until(lambda: "0" == psql(empty, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pg_restore'").stdout.strip(), "pg_restore goes on")
        if psql(empty, "SELECT to_regclass('sales.orders')").stdout.strip() == "NULL":
            restored, _ = self.restore("--to-database", empty)
            self.assertTrue(restored["equal"])
        self.assertEqual(psql(empty, CONTENT).stdout, psql(url, CONTENT).stdout)

    def test_a_drill_restores_all_of_it(self):
        url, role = self.shop()
        self.fill()
        report, _ = self.back_up("--pg-dump", url, "--files", str(self.data))
        checks = self.place / "checks.sql"
        checks.write_text("SELECT count(*) = 3000 FROM sales.orders; SELECT sales.twice(4) = 8")
        drill, _ = self.repository.report(self.nowhere, "drill", "--assertions", str(checks),
                                          "--scratch", str(self.place))  # fmt: skip
        self.assertTrue(drill["passed"], drill)
        self.assertEqual((drill["root_equal"], drill["root_restored"]), (True, report["root"]))
        self.assertEqual(len(drill["assertions"]), 2)
        checks.write_text("SELECT count(*) = 1 FROM sales.orders")
        drill, said = self.repository.report(self.nowhere, "drill", "--assertions", str(checks),
                                             "--scratch", str(self.place), code=1)  # fmt: skip
        self.assertFalse(drill["passed"])
        self.assertIn("it gives f", said)
        left = [path.name for path in self.place.iterdir() if path.name.startswith("coppice-drill")]
        self.assertEqual(left, [])


if __name__ == "__main__":
    tap.main()
