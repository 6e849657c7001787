#!/usr/bin/python3
"""The watch over backups: bad scripts and encryption are noticed, ordinary life is not; what is
suspect stops forgetting and pruning until somebody confirms; and a bisection finds since when."""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import Repository, Shared, home_beside  # noqa: E402

# Bytes that do not compress, as PostgreSQL makes them: as text.
RANDOM = ("(SELECT string_agg(encode(sha256((random()::text || g || n)::bytea), 'base64'), '') "
          "FROM generate_series(1, 12) n)")  # fmt: skip


class Watch(Shared):
    def home_with_history(self, backups=5, rows=1200):
        home = home_beside(self, self.server)
        home.sql("CREATE TABLE film (id int PRIMARY KEY, title text);"
                 "CREATE TABLE log (id int PRIMARY KEY, w text)")  # fmt: skip
        repository = Repository(self)
        for number in range(backups):
            first = number * rows
            home.sql(f"INSERT INTO film SELECT g, repeat('film ' || g || ' of many, ', 10) "
                     f"FROM generate_series({first}, {first + rows - 1}) g")  # fmt: skip
            self.assertEqual(repository.back_up(home)["suspect"], [])
        return home, repository

    def watch_of(self, home, repository):
        return [row["watch"] for row in repository.list(home)]

    def test_ordinary_growth_is_not_suspect(self):
        home = home_beside(self, self.server)
        home.sql("CREATE TABLE film (id int PRIMARY KEY, title text)")
        repository = Repository(self)
        chance = random.Random(7)
        next_id = 0
        for number in range(11):
            count = 20_000 if number == 0 else chance.randint(10, 3000)  # a bulk load at first
            home.sql(f"INSERT INTO film SELECT g, repeat(md5(g::text), 2) || ' title' FROM "
                     f"generate_series({next_id}, {next_id + count - 1}) g")  # fmt: skip
            next_id += count
            share = chance.choice([0, 1, 5, 20])
            home.sql(f"UPDATE film SET title = title || '.' WHERE id % 100 < {share}")
            home.sql(f"DELETE FROM film WHERE id % 50 = {number}")
            self.assertEqual(repository.back_up(home)["suspect"], [], f"backup {number}")
        self.assertEqual(self.watch_of(home, repository), [""] * 11)

    def test_bad_scripts_are_suspect_until_confirmed(self):
        for change, word in [
            ("UPDATE film SET title = 'x' WHERE id % 10 > 0", "of the rows of public.film"),
            ("DELETE FROM film WHERE id % 10 > 0", "5400 of 6000 are gone"),
        ]:
            with self.subTest(change=change):
                home, repository = self.home_with_history()
                home.sql(change)
                report, stderr = repository.report(home, "backup", "create")
                self.assertEqual(len(report["suspect"]), 1)
                self.assertIn("90 %", report["suspect"][0])
                self.assertIn(word, report["suspect"][0])
                self.assertIn("coppice backup confirm " + report["id"][:12], stderr)
                # One after it is none, and changes nothing about it.
                home.sql("INSERT INTO log VALUES (1, 'later')")
                self.assertEqual(repository.back_up(home)["suspect"], [])
                self.assertEqual(self.watch_of(home, repository), [""] * 5 + ["suspect", ""])
                status = home.attempt("status")
                self.assertEqual(status.returncode, 1)
                self.assertIn("is suspect", status.stdout)
                before = len(repository.objects())
                for verb in (("forget", "--keep-last", "1"), ("forget", report["id"]), ("prune",)):
                    refused = repository.fail(home, "backup", *verb, "--yes", code=5)
                    self.assertIn(report["id"][:12], refused)
                    repository.report(home, "backup", *verb, "--dry-run")
                self.assertEqual(len(repository.objects()), before)
                confirmed, _ = repository.report(home, "backup", "confirm", report["id"][:8],
                                                 "--note", "as it should be", "--yes")  # fmt: skip
                self.assertEqual(confirmed["confirmed"], report["id"])
                self.assertEqual(self.watch_of(home, repository)[5], "confirmed")
                self.assertIn("as it should be",
                              repository.call(home, "backup", "show", report["id"]).stdout)  # fmt: skip
                self.assertEqual(home.attempt("status").returncode, 0)
                self.assertEqual(home.values("SELECT note FROM coppice.backups WHERE suspect <> ''"),
                                 [["as it should be"]])  # fmt: skip
                repository.report(home, "backup", "forget", "--keep-last", "1", "--yes")
                repository.report(home, "backup", "prune", "--wait", "0", "--yes")
                self.assertEqual(
                    [path for path in repository.objects() if "confirmations" in path.parts], [])
                self.assertTrue(repository.report(home, "backup", "verify", "--data")[0]["intact"])

    def test_pruned_history_hides_nothing(self):
        home, repository = self.home_with_history()
        home.sql("UPDATE film SET title = 'x' WHERE id % 10 > 0")
        home.run("prune", "film", "--keep", "1", "--yes")
        self.assertEqual(len(repository.back_up(home, "--full")["suspect"]), 1)

    def test_encrypted_cells_are_suspect(self):
        home, repository = self.home_with_history()
        # Rows beside the others: nothing is changed, but what comes does not compress.
        home.sql(f"INSERT INTO log SELECT g, {RANDOM} FROM generate_series(1, 4000) g")
        report = repository.back_up(home)
        self.assertEqual(len(report["suspect"]), 1)
        self.assertIn("look encrypted", report["suspect"][0])
        home.sql(f"UPDATE film SET title = {RANDOM.replace('g ||', 'film.id ||')}")
        reasons = " ".join(repository.back_up(home)["suspect"])
        self.assertIn("100 % of the rows of public.film", reasons)
        self.assertIn("look encrypted", reasons)

    def test_encrypted_media_are_suspect(self):
        home = home_beside(self, self.server)
        home.sql("CREATE TABLE page (id int PRIMARY KEY, d document)")
        repository = Repository(self)
        chance = random.Random(3)
        folder = home.work / "pages"
        folder.mkdir()
        environment = {"COPPICE_WATCH_LEAST_KIB": "64"}

        def add(number, text):
            files = []
            for i in range(10):
                path = folder / f"{number}-{i}.txt"
                path.write_text(text(number * 100 + i))
                files.append(f"({number * 100 + i}, '{path}')")
            home.sql("INSERT INTO page VALUES " + ", ".join(files))
            return repository.back_up(home, environment=environment)["suspect"]

        for number in range(5):
            self.assertEqual(add(number, lambda n: f"page {n}, a text like many others. " * 300), [])
        encrypted = add(9, lambda n: "".join(chance.choices(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=20_000)))  # fmt: skip
        self.assertIn("new media", " ".join(encrypted))

    def test_the_schedule_stops_too(self):
        home, repository = self.home_with_history()
        home.sql("DELETE FROM film WHERE id % 10 > 0")
        id = repository.back_up(home)["id"]
        with (home.folder / "config.toml").open("a") as config:
            config.write('\nbackup.keep_last = 1\nschedule.forget = "daily 00:00"\n'
                         'schedule.prune = "daily 00:00"\n')  # fmt: skip
        result = home.attempt(
            "schedule", "run", "forget", "prune",
            environment=repository.environment | {"COPPICE_BACKUP_REPOSITORY": str(repository.folder)})  # fmt: skip
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(id[:12], result.stdout + result.stderr)
        self.assertEqual(len(repository.list(home)), 6)
        self.assertIn(id[:12], home.attempt("status").stdout)

    def test_a_copy_is_suspect_and_confirmed_alike(self):
        home, repository = self.home_with_history()
        home.sql("DELETE FROM film WHERE id % 10 > 0")
        id = repository.back_up(home)["id"]
        other = Repository(self)
        copy = ("backup", "copy", "--to", str(other.folder))
        repository.report(home, *copy)
        self.assertEqual(self.watch_of(home, other)[-1], "suspect")
        other.fail(home, "backup", "prune", "--yes", code=5)
        repository.report(home, "backup", "confirm", id, "--yes")
        self.assertEqual(self.watch_of(home, other)[-1], "suspect")
        repository.report(home, *copy)
        self.assertEqual(self.watch_of(home, other)[-1], "confirmed")

    def test_only_what_is_suspect_is_confirmed(self):
        home, repository = self.home_with_history(backups=1)
        self.assertIn("not suspect",
                      repository.fail(home, "backup", "confirm", "latest", "--yes", code=2))  # fmt: skip

    def bisect(self, home, repository, *arguments, **options):
        return repository.report(home, "backup", "bisect", *arguments, **options)[0]

    def test_a_bisection_finds_the_version(self):
        home, repository = self.home_with_history(backups=3, rows=20)
        home.sql("INSERT INTO log VALUES (1, 'fine')")
        home.sql("UPDATE film SET title = title || '!' WHERE id = 1")
        home.sql("UPDATE film SET title = NULL WHERE id = 7")
        bad = home.versions("film")[-1]
        home.sql("UPDATE film SET title = 'more' WHERE id = 8")
        ids = [row["id"] for row in repository.list(home)]
        first = repository.back_up(home)["id"]
        for number in range(3):
            home.sql(f"INSERT INTO film VALUES ({1000 + number}, 'later')")
            repository.back_up(home)
        claim = "SELECT bool_and(title IS NOT NULL) FROM film"
        report = self.bisect(home, repository, "--table", "film", "--assert", claim)
        self.assertEqual((report["good"][:12], report["bad"]), (ids[-1], first))
        self.assertEqual(report["version"], bad)
        self.assertIn("SET title = NULL WHERE id = 7", report["statement"])
        self.assertLessEqual(len(report["steps"]), 7)
        # Ends that do not fit are said.
        for arguments, word in [
            (("--assert", "SELECT false"), "does not hold of the good backup"),
            (("--assert", "SELECT true"), "holds of the bad backup"),
            (("--assert", claim, "--good", first, "--bad", ids[0]), "no good backup before"),
            (("--assert", "-- nothing"), "nothing is asserted"),
        ]:
            stderr = repository.fail(home, "backup", "bisect", "--table", "film", *arguments, code=2)
            self.assertIn(word, stderr)

    def test_a_bisection_of_whole_backups(self):
        home, repository = self.home_with_history(backups=2, rows=5)
        home.sql("INSERT INTO log VALUES (1, 'bad')")
        bad = repository.back_up(home)["id"]
        file = home.work / "claims.sql"
        file.write_text("SELECT count(*) = 0 FROM log;\nSELECT count(*) > 0 FROM film;\n")
        report = self.bisect(home, repository, "--assert", str(file))
        self.assertEqual((report["bad"], report["version"]), (bad, None))


if __name__ == "__main__":
    tap.main()
