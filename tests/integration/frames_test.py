#!/usr/bin/python3
"""Frames that are not stored: whoever reads one gets the bytes that a stored frame has, and the video
stays as long as a version names a frame of it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home  # noqa: E402

NO_GRACE = {"COPPICE_MEDIA_GRACE_S": "0"}
CODE = """
import hashlib

def digest(picture):
    with open(picture, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
"""


class Frames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.media = coppice.media_folder(cls)

    def setUp(self):
        self.home = Home.make(self)
        self.home.sql(
            "CREATE TABLE film (id int PRIMARY KEY, clip video);"
            f"INSERT INTO film VALUES (1, '{self.media}/clip.mp4')"
        )

    def view(self, name, stored, video="f.clip"):
        self.home.sql(
            f"CREATE MATERIALIZED VIEW {name} AS SELECT i.pos, i.frame FROM film f, "
            f"LATERAL frames({video}, fps => 2, stored => '{stored}') AS i"
        )

    def frames(self, name):
        return [row[0] for row in self.home.values(f"SELECT frame FROM {name} ORDER BY pos")]

    def objects(self):
        return sum(1 for file in (self.home.folder / "media/sha256").rglob("*") if file.is_file())

    def collect(self):
        self.home.run("media", "gc", "--yes", environment=NO_GRACE)

    def test_no_object_is_made_and_every_reader_gets_the_same_bytes(self):
        before = self.objects()
        self.view("seen", "false")
        self.assertEqual(self.objects(), before)
        self.view("kept", "true")
        seen, kept = self.frames("seen"), self.frames("kept")
        self.assertEqual(len(seen), 6)
        out = self.home.work / "out"
        for frame, stored in zip(seen, kept):
            self.assertTrue(frame.startswith("frame:"), frame)
            wanted = stored.removeprefix("media:")
            path = self.home.run("media", "path", frame, "--csv").splitlines()[-1]
            self.assertEqual(pathlib.Path(path).name, wanted)
            copied = self.home.attempt("media", "cat", frame, stdin=b"").stdout
            self.assertEqual(copied, pathlib.Path(path).read_bytes())
        self.home.run("media", "export", "seen.frame", out)
        self.assertEqual(
            {file.name for file in out.iterdir()}, {name.removeprefix("media:") for name in kept}
        )

    def test_functions_of_users_and_other_tables_get_files(self):
        (self.home.work / "code.py").write_text(CODE)
        self.home.sql(
            "CREATE FUNCTION digest(picture image) RETURNS text LANGUAGE python IMMUTABLE AS 'code.py:digest'"
        )
        self.view("seen", "false")
        self.home.sql("ALTER TABLE seen ADD COLUMN d text GENERATED ALWAYS AS (digest(frame)) STORED")
        rows = self.home.values("SELECT count(*), bool_and(same) FROM (SELECT d = sha256(frame) AS same FROM seen) s")
        self.assertEqual(rows, [[6, True]])
        self.home.sql("CREATE TABLE poster (p image); INSERT INTO poster SELECT frame FROM seen WHERE pos = 3")
        found = self.home.values(
            "SELECT p LIKE 'media:%.jpg', sha256(p) = sha256(frame) FROM poster, seen WHERE pos = 3"
        )
        self.assertEqual(found, [[True, True]])

    def test_the_collection_of_media_leaves_what_frames_are_of(self):
        # Nothing but the frames names this video.
        self.view("small", "false", "resize(f.clip, 80)")
        self.collect()
        self.assertEqual(self.home.values("SELECT DISTINCT w FROM (SELECT width(frame) AS w FROM small) s"), [[80]])
        self.home.sql("DELETE FROM film")
        self.collect()
        self.assertEqual(self.home.values('SELECT count(w) FROM (SELECT width(frame) AS w FROM "small:2") s'), [[6]])
        self.home.run("prune", "film", "--keep", "1", "--yes")
        self.collect()
        self.assertEqual(self.objects(), 0)

    def test_a_change_and_its_revert(self):
        self.view("seen", "false")
        before = self.frames("seen")
        self.home.sql(f"UPDATE film SET clip = '{self.media}/silent.avi'")
        self.assertEqual(len(self.frames("seen")), 2)
        self.collect()
        self.assertEqual(self.home.values('SELECT count(w) FROM (SELECT width(frame) AS w FROM "seen:2") s'), [[6]])
        self.home.run("revert", "film", "--to", "2", "--yes")
        self.assertEqual(self.frames("seen"), before)
        self.assertEqual(self.home.values("SELECT DISTINCT w FROM (SELECT width(frame) AS w FROM seen) s"), [[320]])

    def test_a_frame_whose_video_is_gone_says_so(self):
        self.view("seen", "false")
        for file in (self.home.folder / "media/sha256").rglob("*.mp4"):
            file.unlink()
        frame = self.frames("seen")[0]
        told = self.home.fail("media", "path", frame, code=4)
        self.assertIn("is not in the media store", told)
        self.assertIn("is not in the media store", self.home.fail("sql", "SELECT width(frame) FROM seen"))


if __name__ == "__main__":
    tap.main()
