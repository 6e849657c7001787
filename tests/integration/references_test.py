#!/usr/bin/python3
"""http(s) references that stay in their cells: functions read what was recorded when the cell was
written, from the cache or from the server, and a server's failure costs the cells that need it."""

import hashlib
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.file_server import FileServer, png  # noqa: E402

KEEP = {"COPPICE_MEDIA_REFERENCES": "keep"}
READ = KEEP | {"COPPICE_MEDIA_VALIDATE": "read"}


def media_name(data, extension="png"):
    return f"media:{hashlib.sha256(data).hexdigest()}.{extension}"


class Case(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = FileServer.start(cls)
        cls.home.environment = dict(KEEP)

    def setUp(self):
        self.home.environment = dict(KEEP)

    def table(self, name, *computed):
        columns = "".join(f", {column}" for column in computed)
        self.home.sql(f"CREATE TABLE {name} (id int PRIMARY KEY, i image{columns})")
        return name

    def put(self, name, width, height=10, **options):
        return self.server.put(f"/{self.id()}/{name}", png(width, height, **options))

    def lose_cache(self):
        shutil.rmtree(self.home.folder / "cache")

    def cached_bytes(self):
        objects = (self.home.folder / "cache" / "sha256").rglob("*.*")
        return sum(path.stat().st_size for path in objects)

    def stored_objects(self):
        return [path.name for path in (self.home.folder / "media" / "sha256").rglob("*.*")]


class Cells(Case):
    """A URL in a cell does what a stored object does."""

    def test_a_kept_url_stays_and_functions_read_it(self):
        data = png(41, 31)
        url = self.server.put("/kept/a.png", data) + "?key=secret"
        self.table("kept", "w bigint GENERATED ALWAYS AS (width(i)) STORED",
                   "small image GENERATED ALWAYS AS (resize(i, 8)) STORED")  # fmt: skip
        self.home.sql(f"INSERT INTO kept VALUES (1, '{url}')")
        rows = self.home.rows("SELECT i, w, height(i) AS h, sha256(i) AS s, size_bytes(i) AS n, "
                              "mime_type(i) AS m, width(small) AS small FROM kept")  # fmt: skip
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual(rows, [{"i": url, "w": 41, "h": 31, "s": digest, "n": len(data),
                                 "m": "image/png", "small": 8}])  # fmt: skip
        self.assertEqual(self.home.value("SELECT count(*) FROM kept WHERE width(i) = 41"), 1)
        self.assertEqual(self.home.psql("SELECT i FROM kept").stdout.strip(), url)
        self.assertNotIn(f"{digest}.png", self.stored_objects(), "a kept reference was taken in")
        self.assertEqual(
            self.home.values("SELECT url, name, size_bytes, etag, kind, mime FROM "
                             f"coppice.media_references WHERE url = '{url}'"),
            [[url, media_name(data), len(data), f'"{digest[:12]}"', "image", "image/png"]],
        )  # fmt: skip
        self.assertEqual(self.server.count("/kept/a.png"), 1)

    def test_fill_update_copy_and_bulk_insert(self):
        urls = [self.put(f"{width}.png", width) for width in (10, 20, 30, 40)]
        self.table("every")
        self.home.sql(f"INSERT INTO every VALUES (1, '{urls[0]}')")
        self.home.sql(f"UPDATE every SET i = '{urls[1]}' WHERE id = 1")
        (self.home.work / "every.csv").write_text(f"id,i\n2,{urls[2]}\n")
        self.home.sql("COPY every FROM 'every.csv' (FORMAT csv, HEADER true)")
        (self.home.work / "more.csv").write_text(f"id,i\n3,{urls[3]}\n")
        self.home.run("insert", "every", "--from", "more.csv")
        self.home.sql("ALTER TABLE every ADD COLUMN w bigint GENERATED ALWAYS AS (width(i)) STORED")
        expected = [[1, urls[1], 20], [2, urls[2], 30], [3, urls[3], 40]]
        self.assertEqual(self.home.values("SELECT * FROM every ORDER BY id"), expected)
        self.home.run("recompute", "every", "w")
        self.assertEqual(self.home.values("SELECT * FROM every ORDER BY id"), expected)
        self.table("copies", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.home.sql("INSERT INTO copies SELECT id, i FROM every WHERE w > 20")
        self.assertEqual(self.home.values("SELECT i, w FROM copies ORDER BY id"),
                         [[urls[2], 30], [urls[3], 40]])  # fmt: skip
        self.assertEqual(self.home.values('SELECT width(i) FROM "every:1"'), [[10]])

    def test_the_option_of_a_column_comes_before_the_setting(self):
        url = self.put("a.png", 12)
        self.home.environment = {}  # media.references is 'take' by default
        self.home.sql("CREATE TABLE chosen (id int, k image OPTIONS (references 'keep'), "
                      "t image OPTIONS (references 'take'), d image)")  # fmt: skip
        self.home.sql(f"INSERT INTO chosen VALUES (1, '{url}', '{url}', '{url}')")
        name = media_name(png(12, 10))
        self.assertEqual(self.home.values("SELECT k, t, d FROM chosen"), [[url, name, name]])
        self.home.environment = dict(KEEP)
        self.home.sql(f"UPDATE chosen SET t = '{url}', d = '{url}'")
        self.assertEqual(self.home.values("SELECT k, t, d FROM chosen"), [[url, name, url]])
        described = self.home.json_lines("describe", "chosen")
        told = {row["column"]: row["value"] for row in described if "column" in row}
        self.assertEqual([told["k"], told["t"], told["d"]],
                         ["URLs are kept", None, "URLs are kept"])  # fmt: skip
        self.home.sql("ALTER TABLE chosen ALTER COLUMN k SET (references = 'take')")
        self.home.sql("UPDATE chosen SET k = k")
        self.assertEqual(self.home.value("SELECT k FROM chosen"), name)
        self.home.sql("ALTER TABLE chosen ALTER COLUMN k SET (references = 'auto')")
        dump = self.home.run("schema", "dump")
        self.assertIn("image OPTIONS (references 'take')", dump)
        self.assertNotIn("references 'auto'", dump)
        errors = self.home.fail("sql", "CREATE TABLE no (a text OPTIONS (references 'keep'))")
        self.assertIn("references", errors)
        errors = self.home.fail("sql", "CREATE TABLE no (a image OPTIONS (references 'lend'))")
        self.assertIn("'take', 'keep' or 'auto'", errors)

    def test_media_verbs_and_gc(self):
        data = [png(width, 10) for width in (50, 51, 52)]
        urls = [self.server.put(f"/verbs/{i}.png", each) for i, each in enumerate(data)]
        self.table("verbs")
        for i, url in enumerate(urls):
            self.home.sql(f"INSERT INTO verbs VALUES ({i}, '{url}')")
        paths = self.home.json_lines("media", "path", "verbs.i")
        self.assertEqual([pathlib.Path(row["path"]).read_bytes() for row in paths], data)
        self.assertTrue(all(str(self.home.folder / "cache") in row["path"] for row in paths))
        result = self.home.attempt("media", "cat", urls[1], stdin=b"")
        self.assertEqual(result.stdout, data[1])
        findings = {row["check"]: row for row in self.home.json_lines("doctor") if "check" in row}
        self.assertRegex(str(findings["references"]), "[0-9]+ URLs recorded; .* in the cache")
        self.lose_cache()
        self.home.run("media", "export", "verbs.i", "exported")
        files = sorted((self.home.work / "exported").iterdir())
        self.assertEqual(sorted(path.read_bytes() for path in files), sorted(data))
        gc = {"COPPICE_MEDIA_GRACE_S": "0"}
        self.home.run("media", "gc", "--yes", environment=gc)
        self.assertEqual(self.home.values("SELECT id, width(i) FROM verbs ORDER BY id"),
                         [[0, 50], [1, 51], [2, 52]])  # fmt: skip
        recorded = "SELECT count(*) FROM coppice.media_references WHERE url LIKE '%/verbs/%'"
        self.assertEqual(self.home.value(recorded), 3)
        self.home.sql("DELETE FROM verbs WHERE id > 0")
        self.home.run("media", "gc", "--yes", environment=gc)
        self.assertEqual(self.home.value(recorded), 3, "older versions hold them")
        self.home.run("prune", "verbs", "--keep", "1", "--yes")
        self.home.run("media", "gc", "--yes", environment=gc)
        self.assertEqual(self.home.value(recorded), 1)

    def test_a_literal_in_a_query(self):
        url = self.put("a.png", 13)
        self.assertEqual(self.home.value(f"SELECT width('{url}'::image)"), 13)

    def test_sounds_and_documents(self):
        media = coppice.media_folder(self)
        for name, kind, call, value in (
            ("tone.wav", "audio", "duration(m)::int", 2),
            ("clip.mp4", "video", "duration(m)::int", 3),
            ("clip.mp4", "audio", "channels(m)", 1),
            ("two_pages.pdf", "document", "page_count(m)", 2),
            ("page.html", "document", "metadata(m)->>'title'", "Street"),
        ):
            with self.subTest(name=name, kind=kind):
                url = self.server.put(f"/kinds/{name}", (media / name).read_bytes())
                self.home.sql("DROP TABLE IF EXISTS kinds")
                self.home.sql(f"CREATE TABLE kinds (m {kind})")
                self.home.sql(f"INSERT INTO kinds VALUES ('{url}')")
                self.assertEqual(self.home.value("SELECT m FROM kinds"), url)
                self.assertEqual(self.home.value(f"SELECT {call} FROM kinds"), value)


class Content(Case):
    """What was recorded when the cell was written is what it means."""

    def test_a_server_that_is_away_is_not_missed(self):
        urls = [self.put(f"{width}.png", width) for width in (60, 61, 62)]
        self.table("away")
        values = ", ".join(f"({i}, '{url}')" for i, url in enumerate(urls))
        self.home.sql(f"INSERT INTO away VALUES {values}")
        before = self.server.count()
        self.server.stop()
        try:
            self.home.sql("ALTER TABLE away ADD COLUMN w bigint "
                          "GENERATED ALWAYS AS (width(i)) STORED")  # fmt: skip
            self.home.sql("UPDATE away SET id = id + 10")
            self.assertEqual(self.home.values("SELECT w, height(i) FROM away ORDER BY id"),
                             [[60, 10], [61, 10], [62, 10]])  # fmt: skip
            self.home.run("recompute", "away")
            self.home.run("media", "cat", urls[0], stdin=b"")
        finally:
            self.server.again()
        self.assertEqual(self.home.values("SELECT width(i) FROM away ORDER BY id"),
                         [[60], [61], [62]])  # fmt: skip
        self.assertEqual(self.server.count(), before, "a server was asked for what is in the cache")

    def test_changed_content_is_refused_until_the_cell_is_written_again(self):
        url = self.put("a.png", 70)
        self.table("changing", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.home.sql(f"INSERT INTO changing VALUES (1, '{url}?key=secret'), (2, NULL)")
        self.put("a.png", 71)
        # The recorded content is in the cache.
        self.assertEqual(self.home.values("SELECT w, width(i) FROM changing WHERE id = 1"), [[70, 70]])
        self.lose_cache()
        for errors in (
            self.home.fail("sql", "SELECT width(i) FROM changing"),
            self.home.fail("recompute", "changing"),
            self.home.fail("media", "cat", f"{url}?key=secret", code=6),
        ):
            self.assertRegex(errors, re.escape(url) + " has changed: [0-9]+ bytes, ETag .* were "
                                                      "recorded on .*, now it has [0-9]+ bytes")  # fmt: skip
            self.assertIn("UPDATE", errors)
            self.assertNotIn("secret", errors)
        self.assertEqual(self.home.values("SELECT w FROM changing ORDER BY id"), [[70], [None]])
        told = self.home.attempt("sql", "UPDATE changing SET i = i WHERE id = 1").stderr
        self.assertIn(f"{url} has changed since it was recorded: its new content counts", told)
        self.assertNotIn("secret", told)
        self.assertEqual(self.home.values("SELECT w, width(i) FROM changing WHERE id = 1"), [[71, 71]])
        self.assertEqual(self.home.values('SELECT w FROM "changing:1" WHERE id = 1'), [[70]])

    def test_a_write_asks_the_server_at_once(self):
        url = self.put("a.png", 72)
        self.table("fresh", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.home.sql(f"INSERT INTO fresh VALUES (1, '{url}')")
        self.put("a.png", 73)
        self.home.sql(f"UPDATE fresh SET i = '{url}'")
        self.assertEqual(self.home.values("SELECT w, width(i) FROM fresh"), [[73, 73]])

    def test_a_statement_that_fails_records_nothing(self):
        url = self.put("a.png", 74)
        self.table("failing", "part bigint GENERATED ALWAYS AS (100 / (width(i) - 75)) STORED")
        self.home.sql(f"INSERT INTO failing VALUES (1, '{url}')")
        self.put("a.png", 75)
        self.home.fail("sql", f"UPDATE failing SET i = '{url}'")
        self.assertEqual(self.home.values("SELECT part, width(i) FROM failing"), [[-100, 74]])

    def test_revert_brings_the_recorded_content_back(self):
        url = self.put("a.png", 76)
        self.table("reverted", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.home.sql(f"INSERT INTO reverted VALUES (1, '{url}')")
        self.put("a.png", 77)
        self.home.sql("UPDATE reverted SET i = i")
        self.assertEqual(self.home.values("SELECT w, width(i) FROM reverted"), [[77, 77]])
        self.home.run("revert", "reverted", "--to", "1", "--yes")
        self.assertEqual(self.home.values("SELECT w, width(i) FROM reverted"), [[76, 76]])
        self.lose_cache()
        errors = self.home.fail("sql", "SELECT width(i) FROM reverted")
        self.assertIn("has changed", errors)
        gc = {"COPPICE_MEDIA_GRACE_S": "0"}
        self.home.run("media", "gc", "--yes", environment=gc)
        self.put("a.png", 76)
        self.assertEqual(self.home.values("SELECT w, width(i) FROM reverted"), [[76, 76]])

    def test_gc_forgets_records_that_say_nothing_new(self):
        url = self.put("a.png", 78)
        self.table("repeated")
        self.home.sql(f"INSERT INTO repeated VALUES (1, '{url}')")
        for _ in range(3):
            self.home.sql(f"UPDATE repeated SET i = '{url}'")
        recorded = f"SELECT count(*) FROM coppice.media_references WHERE url = '{url}'"
        self.assertEqual(self.home.value(recorded), 4)
        self.home.run("media", "gc", "--yes")
        self.assertEqual(self.home.value(recorded), 1)
        self.assertEqual(self.home.value("SELECT width(i) FROM repeated"), 78)

    def test_without_a_check_on_write_the_first_reading_counts(self):
        url = self.put("a.png", 80)
        self.home.environment = dict(READ)
        self.table("unread")
        self.home.sql(f"INSERT INTO unread VALUES (1, '{url}'), (2, '{self.server.url('/none')}')")
        self.assertEqual(self.server.count(f"/{self.id()}/a.png"), 0, "it was fetched on write")
        self.home.sql("ALTER TABLE unread ADD COLUMN w bigint OPTIONS (on_error 'ignore') "
                      "GENERATED ALWAYS AS (width(i)) STORED")  # fmt: skip
        self.assertEqual(self.home.values("SELECT w FROM unread ORDER BY id"), [[80], [None]])
        self.put("a.png", 81)
        self.lose_cache()
        self.assertIn("has changed", self.home.fail("sql", "SELECT width(i) FROM unread WHERE id = 1"))
        self.home.sql("UPDATE unread SET i = i WHERE id = 1")
        self.assertEqual(self.home.values("SELECT w, width(i) FROM unread WHERE id = 1"), [[81, 81]])


class Failures(Case):
    """A reference that cannot be read costs the cells that need it, and is named without its query."""

    def bad_references(self):
        whole = png(200, 200, noise=True)
        return {
            "404": self.server.fail("/bad/gone.png", 404),
            "cut off": self.server.cut("/bad/half.png", whole),
            "no image": self.server.put("/bad/page", b"<!DOCTYPE html><p>Sorry", "text/html"),
            "damaged": self.server.put("/bad/damaged.png", whole[: len(whole) // 2]),
            "slow": self.server.hang("/bad/slow.png", 20),
            "unreachable": "http://127.0.0.1:1/a.png",
        }

    def setUp(self):
        super().setUp()
        self.home.environment["COPPICE_MEDIA_TIMEOUT_S"] = "1"

    def test_on_write_the_statement_fails_and_nothing_is_changed(self):
        self.table("refused")
        good = self.put("good.png", 5)
        for what, url in self.bad_references().items():
            with self.subTest(what):
                statement = f"INSERT INTO refused VALUES (1, '{good}'), (2, '{url}?key=secret')"
                result = self.home.attempt("sql", statement)
                self.assertIn(result.returncode, (1, 4))
                self.assertIn(url, result.stderr)
                self.assertIn('column "i" of public.refused, the row with id = 2', result.stderr)
                self.assertNotIn("secret", result.stderr)
                self.assertEqual(self.home.value("SELECT count(*) FROM refused"), 0)

    def written_without_a_look(self, table, on_error):
        self.home.environment |= READ
        self.table(table)
        good = self.put("good.png", 7)
        bad = self.bad_references()
        rows = [(1, good), *enumerate(bad.values(), 2), (99, good)]
        values = ", ".join(f"({i}, '{url}?key=secret')" for i, url in rows)
        self.home.sql(f"INSERT INTO {table} VALUES {values}")
        statement = (f"ALTER TABLE {table} ADD COLUMN look text OPTIONS (on_error '{on_error}') "
                     "GENERATED ALWAYS AS (perceptual_hash(i)) STORED")  # fmt: skip
        return bad, statement

    def test_ignored_each_costs_its_own_cell(self):
        bad, statement = self.written_without_a_look("ignored", "ignore")
        self.home.sql(statement)
        looks = self.home.values("SELECT length(look) FROM ignored ORDER BY id")
        self.assertEqual(looks, [[16], *[[None]] * len(bad), [16]])
        errors = self.home.json_lines("errors", "ignored")
        told = {row["key"]: (row["type"], row["message"]) for row in errors}
        self.assertEqual(len(told), len(bad))
        kinds = ["fetch", "fetch", "decode", "decode", "fetch", "fetch"]
        for (number, (what, url)), kind in zip(enumerate(bad.items(), 2), kinds):
            with self.subTest(what):
                self.assertEqual(told[f"id = {number}"][0], kind)
                if what != "damaged":  # the worker says what is wrong with the bytes
                    self.assertIn(url, told[f"id = {number}"][1])
        self.assertNotIn("secret", str(errors))
        # What the servers have by now counts when it is tried again.
        for name in ("gone", "half", "damaged", "slow"):
            self.server.put(f"/bad/{name}.png", png(9, 9))
        self.home.run("recompute", "ignored", "--errors")
        self.assertEqual(self.home.value("SELECT count(look) FROM ignored"), 2 + 4)

    def test_aborted_the_first_one_ends_the_statement(self):
        bad, statement = self.written_without_a_look("aborted", "abort")
        errors = self.home.fail("sql", statement)
        self.assertIn('computed column "look" of public.aborted failed for the row with id = 2', errors)
        self.assertIn(f"{bad['404']} answers with HTTP status 404", errors)
        self.assertNotIn("secret", errors)
        errors = self.home.fail("sql", "SELECT id, width(i) FROM aborted WHERE id = 2")
        self.assertIn("id = 2", errors)
        self.assertIn("HTTP status 404", errors)
        self.assertNotIn("secret", errors)

    def test_a_cell_that_does_not_read_it_does_not_fail(self):
        self.home.environment |= READ
        good = self.put("good.png", 8)
        self.home.sql("CREATE TABLE two (a image, b image)")
        self.home.sql(f"INSERT INTO two VALUES ('{good}', '{self.server.url('/none.png')}')")
        self.assertEqual(self.home.values("SELECT width(a), b FROM two")[0][0], 8)
        self.home.sql("ALTER TABLE two ADD COLUMN w bigint GENERATED ALWAYS AS (width(a)) STORED")
        self.home.sql("ALTER TABLE two ADD COLUMN v bigint OPTIONS (on_error 'ignore') "
                      "GENERATED ALWAYS AS (width(a) + width(b)) STORED")  # fmt: skip
        self.assertEqual(self.home.values("SELECT w, v FROM two"), [[8, None]])


class Many(Case):
    """More references than fit, and more than one process."""

    def rows(self):
        return 300 if tap.long else 60

    def insert_many(self, table, **options):
        """About 100 KB each."""
        urls = [self.server.put(f"/many/{i}.png", png(300, 330, seed=i, noise=True))
                for i in range(self.rows())]  # fmt: skip
        lines = [f"{i},{url}" for i, url in enumerate(urls)]
        (self.home.work / f"{table}.csv").write_text("\n".join(["id,i", *lines]) + "\n")
        self.home.run("insert", table, "--from", f"{table}.csv", **options)
        return urls

    def check(self, table):
        wrong = self.home.values(f"SELECT id FROM {table} WHERE w IS DISTINCT FROM 300")
        self.assertEqual(wrong, [])
        self.assertEqual(self.home.value(f"SELECT count(*) FROM {table}"), self.rows())

    def test_a_cache_that_is_smaller_than_the_batch(self):
        self.home.environment["COPPICE_MEDIA_CACHE_MB"] = "1"
        self.table("many", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.server.delay_seconds = 0.02
        self.server.most_at_once = 0
        self.insert_many("many")
        self.server.delay_seconds = 0
        self.check("many")
        self.assertGreater(self.server.most_at_once, 2, "references came one after another")
        self.assertLessEqual(self.server.most_at_once, 16)
        self.assertLess(self.cached_bytes(), 2 << 20)
        self.home.sql("ALTER TABLE many ADD COLUMN h bigint GENERATED ALWAYS AS (height(i)) STORED")
        self.assertEqual(self.home.values("SELECT DISTINCT h FROM many"), [[330]])
        self.home.run("media", "export", "many.i", "all_of_them")
        self.assertEqual(len(list((self.home.work / "all_of_them").iterdir())), self.rows())

    def test_connections_are_bounded(self):
        self.home.environment["COPPICE_MEDIA_CONNECTIONS"] = "3"
        self.table("bounded", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.server.delay_seconds = 0.02
        self.server.most_at_once = 0
        self.insert_many("bounded")
        self.server.delay_seconds = 0
        self.check("bounded")
        self.assertGreater(self.server.most_at_once, 1)
        self.assertLessEqual(self.server.most_at_once, 3)

    def test_two_processes_and_a_small_cache(self):
        self.home.environment["COPPICE_MEDIA_CACHE_MB"] = "1"
        self.table("first", "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        self.insert_many("first")
        self.lose_cache()
        for name in ("second", "third"):
            self.table(name, "w bigint GENERATED ALWAYS AS (width(i)) STORED")
        processes = [
            self.home.start("sql", "INSERT INTO second SELECT id, i FROM first"),
            self.home.start("sql", "INSERT INTO third SELECT id, i FROM first"),
            self.home.start("recompute", "first"),
        ]
        for process in processes:
            _, errors = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, errors)
        for name in ("first", "second", "third"):
            self.check(name)
        self.assertLess(self.cached_bytes(), 3 << 20)

    def test_a_resumed_update_of_another_column_takes_no_new_content(self):
        url = self.put("a.png", 90)
        self.table("resumed", "title text", "w bigint GENERATED ALWAYS AS (width(i) + length(title)) STORED")  # fmt: skip
        self.home.sql(f"INSERT INTO resumed VALUES (1, '{url}', 'a')")
        self.put("a.png", 91)
        self.home.attempt("sql", "UPDATE resumed SET title = 'aa'",
                          environment={"COPPICE_CRASH_AT": "stage.batch_stored"})  # fmt: skip
        (job,) = [job for job in self.home.json_lines("jobs") if job["state"] == "interrupted"]
        self.home.run("jobs", "resume", job["id"])
        self.assertEqual(self.home.values("SELECT title, w, width(i) FROM resumed"), [["aa", 92, 90]])


if __name__ == "__main__":
    tap.main()
