#!/usr/bin/python3
"""Backups and restores that are killed, given the wrong things, or made while writers write."""

import os
import pathlib
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import PASSPHRASE, Repository, Shared, home_beside, new_database, state  # noqa: E402
from support.coppice import Home, psql, scratch_folder  # noqa: E402
from support.roots import owner_url  # noqa: E402

CANARY = "canary7f3a9c"


def crash_points(home, prefix):
    points = [row["name"] for row in home.json_lines("debug", "crash-points")]
    return [point for point in points if point.startswith(prefix)]


class Crashes(Shared):
    def test_backups_that_are_killed(self):
        home = self.home_with_tables()
        repository = Repository(self)
        first = repository.back_up(home)
        kept = state(home)
        points = crash_points(home, "backup.")
        self.assertGreaterEqual(len(points), 5)
        for number, point in enumerate(points):
            with self.subTest(point=point):
                home.sql(f"UPDATE film SET title = title || '{number}' WHERE id < 3;"
                         f"INSERT INTO log VALUES ('{number}')")  # fmt: skip
                killed = repository.call(home, "backup", "create",
                                         environment={"COPPICE_CRASH_AT": point})  # fmt: skip
                self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
                report = repository.back_up(home)
                expected = state(home)
                again = repository.restore(self, self.server, "--backup", report["id"])
                self.assertEqual(state(again), expected)
        again = repository.restore(self, self.server, "--backup", first["id"])
        self.assertEqual(state(again), kept)
        # Their pins hold for a while, then they are nothing.
        pins = "SELECT count(DISTINCT pin_id) FROM coppice.pins"
        self.assertGreater(home.value(pins), 0)
        psql(home.owner_url, "UPDATE coppice.pins SET expires_at = now() - interval '1 s'")
        home.run("prune", "film", "--keep", "1", "--yes")
        self.assertEqual(len(home.values('SELECT version FROM coppice.versions v JOIN coppice.tables '
                                         "USING (tree_id) WHERE table_name = 'film'")), 1)  # fmt: skip
        repository.back_up(home)
        self.assertEqual(home.value(pins), 0)

    def test_restores_that_are_killed(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        expected = state(home)
        points = [(point, n) for point in crash_points(home, "restore.") for n in (1, 2)]
        self.assertGreaterEqual(len(points), 8)
        for point, number in points:
            with self.subTest(point=point, number=number):
                again, where = self.empty_place()
                killed = repository.call(again, "restore", *where,
                                         environment={"COPPICE_CRASH_AT": f"{point}:{number}"})  # fmt: skip
                if killed.returncode == 0:
                    self.assertEqual(number, 2, "it never came there")
                    continue
                self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
                self.assertIn("is being restored", again.fail("status", code=1))
                report, _ = repository.report(again, "restore", *where)
                self.assertTrue(report["equal"])
                self.assertEqual(state(again), expected)
                again.sql("INSERT INTO film (id, title) VALUES (4, 'four')")
                self.assertEqual(sorted(again.folder.glob("restor*")), [])

    def test_a_restore_killed_at_any_time(self):
        repository = Repository(self)
        home = self.home_with_tables()
        repository.back_up(home)
        expected = state(home)
        again, where = self.empty_place()
        for delay in (0.02, 0.08, 0.15, 0.22, 0.3, 0.4):
            process = again.start("restore", *where, *repository.flags,
                                  environment=repository.environment)  # fmt: skip
            time.sleep(delay)
            process.kill()
            process.communicate()
            if process.returncode == 0:
                break
        else:
            repository.report(again, "restore", *where)
        self.assertEqual(state(again), expected)

    def test_what_was_interrupted_is_no_part_of_a_backup(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        fill = "ALTER TABLE film ADD COLUMN size bigint GENERATED ALWAYS AS (length(title)) STORED"
        picture = f"UPDATE film SET p = '{self.media}/alpha.png' WHERE id = 1"
        for statement, point in ((picture, "stage.all_stored"),
                                 ("INSERT INTO film (id, title) VALUES (8, 'x')", "direct.written"),
                                 (fill, "fill.before_publish")):  # fmt: skip
            killed = home.attempt("sql", statement, environment={"COPPICE_CRASH_AT": point})
            self.assertEqual(killed.returncode, -signal.SIGKILL)
        report = repository.back_up(home)
        again = repository.restore(self, self.server, "--backup", report["id"])
        self.assertEqual(again.run("root").strip(), report["root"])
        again.sql(fill + "; INSERT INTO film (id, title) VALUES (8, 'eight')")
        self.assertEqual(again.values("SELECT id, size FROM film ORDER BY id"),
                         [[1, 3], [2, 3], [3, 5], [8, 5]])  # fmt: skip
        # The chain goes on in the restored home.
        second = repository.back_up(again)
        self.assertEqual(second["parent"], report["id"])
        third = repository.restore(self, self.server, "--backup", second["id"])
        self.assertEqual(state(third), state(again))

    def test_another_backup_does_not_go_on_with_it(self):
        home = self.home_with_tables()
        repository = Repository(self)
        first = repository.back_up(home)["id"]
        home.sql("DELETE FROM log")
        repository.back_up(home)
        again, where = self.empty_place()
        repository.call(again, "restore", *where, "--backup", first,
                        environment={"COPPICE_CRASH_AT": "restore.table_loaded"})  # fmt: skip
        said = repository.fail(again, "restore", *where, code=5)
        self.assertIn(first[:12], said)
        self.assertIn(f"--backup {first[:12]}", said)


class BadInput(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = home_beside(cls, cls.server)
        cls.home.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        cls.repository = Repository(cls)
        cls.first = cls.repository.back_up(cls.home)
        cls.second = cls.repository.back_up(cls.home)

    def refused(self, *arguments, code, says, environment=None, home=None):
        """It fails with that code, says each of these, and what to do."""
        said = self.repository.fail(home or self.home, *arguments, code=code, environment=environment)
        for word in says:
            self.assertIn(str(word), said)
        self.assertIn("hint: ", said)
        return said

    def test_keys(self):
        folder = self.repository.folder
        self.refused("backup", "list", code=5, says=[folder],
                     environment={"COPPICE_REPO_PASSWORD": "wrong"})  # fmt: skip
        plain = Repository(self, encrypted=False, folder=folder)
        said = plain.fail(self.home, "backup", "create", code=5)
        self.assertIn("encrypted", said)
        self.assertIn("COPPICE_REPO_PASSWORD", said)
        said = self.home.fail("backup", "create", "--repo", folder.with_name("new"), code=2)
        self.assertIn("--no-encryption", said)
        self.assertFalse(folder.with_name("new").exists())

    def test_places(self):
        none = self.repository.folder.with_name("none")
        strange = scratch_folder(self)
        (strange / "mine.txt").write_text("mine")
        for folder, verb, code in ((none, "list", 4), (strange, "list", 4), (strange, "create", 5)):
            with self.subTest(folder=folder, verb=verb):
                said = Repository(self, folder=folder).fail(self.home, "backup", verb, code=code)
                self.assertIn(str(folder), said)
                self.assertIn("hint: ", said)
                self.assertNotIn("backup init", said)
        self.assertEqual([path.name for path in strange.iterdir()], ["mine.txt"])
        for folder in (self.home.folder / "backups", self.home.folder):
            said = Repository(self, folder=folder).fail(self.home, "backup", "create", code=5)
            self.assertIn("lies in the home", said)
            self.assertIn("hint: ", said)
        self.assertFalse((self.home.folder / "backups").exists())

    def test_a_newer_format(self):
        newer = Repository(self)
        shutil.copytree(self.repository.folder, newer.folder)
        mark = newer.folder / "coppice-repository"
        mark.chmod(0o644)
        mark.write_bytes(mark.read_bytes().replace(b"1", b"9", 1))
        said = newer.fail(self.home, "backup", "list", code=1)
        self.assertIn(str(newer.folder), said)
        self.assertIn("format 9", said)
        self.assertIn("hint: use a newer coppice", said)

    def test_which_backup(self):
        place, where = self.empty_place()
        self.refused("restore", *where, "--backup", "ffffffff", code=4, says=["ffffffff"], home=place)
        self.refused("restore", *where, "--backup", self.first["id"][:3], code=2,
                     says=["digits"], home=place)  # fmt: skip
        self.refused("restore", *where, "--at", "2020-01-01", code=4,
                     says=["2020-01-01", "earliest"], home=place)  # fmt: skip
        self.refused("restore", *where, "--at", "soon", code=2, says=["soon"], home=place)
        self.refused("restore", *where, "--at", "2099-01-01", "--backup", "ffff", code=2,
                     says=["--at", "--backup"], home=place)  # fmt: skip
        self.assertFalse(place.folder.exists())

    def test_a_home_that_is_not_empty(self):
        _, where = self.empty_place()
        self.refused("restore", *where, code=5, says=["not empty", self.home.folder])
        strange = Home(scratch_folder(self))
        (strange.folder / "mine.txt").write_text("mine")
        self.refused("restore", *where, code=5, says=["not empty"], home=strange)
        self.assertEqual([path.name for path in strange.folder.iterdir()], ["mine.txt"])
        file = Home(scratch_folder(self) / "file")
        file.folder.touch()
        self.refused("restore", *where, code=5, says=["is no folder", file.folder], home=file)

    def test_a_database_that_is_not_empty(self):
        before = state(self.home)
        place = Home(scratch_folder(self) / "home")
        for _ in range(2):
            self.refused("restore", "--database", self.home.owner_url, code=5,
                         says=["another home"], home=place)  # fmt: skip
        self.assertEqual(state(self.home), before)
        strange = new_database(self, owner_url(self.server))
        psql(strange, "CREATE TABLE mine (id int)")
        place = Home(scratch_folder(self) / "home")
        self.repository.report(place, "restore", "--database", strange)
        self.assertEqual(psql(strange, "SELECT count(*) FROM mine").stdout.strip(), "0")

    def test_two_restores_at_once(self):
        place, where = self.empty_place()
        processes = [place.start("restore", *where, *self.repository.flags,
                                 environment=self.repository.environment) for _ in range(2)]  # fmt: skip
        said = [process.communicate(timeout=60)[1] for process in processes]
        codes = sorted(process.returncode for process in processes)
        self.assertEqual(codes[0], 0, said)
        self.assertEqual(codes[1], 1, said)
        self.assertEqual(state(place), state(self.home))

    def test_a_home_that_moved(self):
        home = home_beside(self, self.server)
        home.sql("CREATE TABLE t (id int)")
        repository = Repository(self)
        first = repository.back_up(home)
        home.folder = home.folder.rename(home.folder.with_name("moved"))
        home.sql("INSERT INTO t VALUES (1)")
        second = repository.back_up(home)
        self.assertEqual((second["parent"], second["rows_read"]), (first["id"], 1))
        self.assertEqual(state(repository.restore(self, self.server)), state(home))


class Secrecy(Shared):
    def test_no_word_of_the_home_is_in_the_repository(self):
        home = home_beside(self, self.server)
        folder = scratch_folder(self)
        (folder / f"{CANARY}.txt").write_text(f"a file of {CANARY}\n" * 50)
        (folder / f"{CANARY}.py").write_text(f"def f(n):\n    return '{CANARY}'\n")
        home.sql(
            f"CREATE TABLE {CANARY} (id int PRIMARY KEY, t text, d document);"
            f"INSERT INTO {CANARY} VALUES (1, '{CANARY}', '{folder}/{CANARY}.txt');"
            f"CREATE FUNCTION f(n int) RETURNS text LANGUAGE python AS '{folder}/{CANARY}.py:f'"
        )
        for encrypted in (True, False):
            repository = Repository(self, encrypted)
            repository.back_up(home, "--tag", CANARY)
            repository.back_up(home)
            words = [CANARY, PASSPHRASE, str(home.folder), home.value(f"SELECT d FROM {CANARY}")[6:30]]
            text = b"".join(str(path.name).encode() + path.read_bytes() for path in repository.objects())
            for word in words:
                self.assertNotIn(word.encode(), text) if encrypted else None
            if not encrypted:
                self.assertIn(b"coppice home", text)  # so it would be seen


class ServersThatAreThere(Shared):
    def test_a_private_server(self):
        home = self.home_with_tables()
        home.sql("GRANT SELECT ON film TO PUBLIC")
        repository = Repository(self)
        repository.back_up(home)
        again = repository.restore_alone(self)
        self.assertEqual(state(again), state(home))
        self.assertTrue(again.status()["private_server"])
        again.sql("INSERT INTO film (id, title) VALUES (10, 'ten')")

    def test_a_role_that_is_there_and_one_that_is_not(self):
        there, missing = f"there_{os.getpid()}", f"missing_{os.getpid()}"
        private = Home.make(self, private=True)
        url = owner_url(private)
        home = self.home_with_tables()
        for role in (there, missing):
            psql(owner_url(self.server), f"CREATE ROLE {role}")
            self.addCleanup(psql, owner_url(self.server), f"DROP OWNED BY {role}; DROP ROLE {role}",
                            check=False)  # fmt: skip
            home.sql(f"GRANT SELECT ON film TO {role}")
        psql(url, f"CREATE ROLE {there} LOGIN")
        repository = Repository(self)
        repository.back_up(home)
        again = Home(scratch_folder(self) / "home")
        _, said = repository.report(again, "restore", "--database", new_database(self, url))
        self.assertIn(missing, said)
        self.assertNotIn(there, said)
        self.assertEqual(psql(url, f"SELECT rolcanlogin FROM pg_roles WHERE rolname = '{there}'")
                         .stdout.strip(), "t")  # fmt: skip
        self.assertEqual(state(again), state(home))


class Writers(Shared):
    BACKUPS = 6

    def test_while_they_write(self):
        home = self.home_with_tables()
        home.sql("CREATE TABLE w (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);"
                 "INSERT INTO w (n) SELECT g FROM generate_series(1, 2000) g;"
                 "CREATE MATERIALIZED VIEW half AS SELECT w.id, w.n * 2 AS m FROM w WHERE w.n % 2 = 0")  # fmt: skip
        enough, failures = threading.Event(), []
        work = (
            ["INSERT INTO w (n) VALUES (1)", "DELETE FROM w WHERE id % 97 = 5"],
            ["UPDATE w SET n = n + 1 WHERE id BETWEEN 300 AND 400", ("prune", "w", "--keep", "2", "--yes")],
            ["ALTER TABLE film ADD COLUMN extra text DEFAULT 'x'; ALTER TABLE film DROP COLUMN extra",
             "DROP TABLE log; CREATE TABLE log (w text); INSERT INTO log VALUES ('b')"],
        )  # fmt: skip

        def write(steps):
            while not enough.is_set():
                for step in steps:
                    result = home.attempt(*(step if isinstance(step, tuple) else ("sql", step)))
                    if result.returncode != 0:
                        failures.append(f"{step}: {result.stderr}")

        writers = [threading.Thread(target=write, args=(steps,)) for steps in work]
        for writer in writers:
            writer.start()
        repository = Repository(self)
        try:
            ids = [repository.back_up(home)["id"] for _ in range(self.BACKUPS)]
        finally:
            enough.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failures, [])
        ids.append(repository.back_up(home)["id"])
        for id in ids:
            repository.restore(self, self.server, "--backup", id)
        self.assertEqual(state(repository.restore(self, self.server)), state(home))


if __name__ == "__main__":
    tap.main()
