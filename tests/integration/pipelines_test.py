#!/usr/bin/python3
"""The pipelines of examples/pipelines on real media, compared with independent programs."""

import json
import math
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402

PIPELINES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples/pipelines"
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"


def output_of(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout  # fmt: skip


def duration_of(file):
    found = output_of("ffprobe", "-v", "error", "-of", "json", "-show_entries",
                      "format=duration", file)  # fmt: skip
    return float(json.loads(found)["format"]["duration"])


class Pipeline(coppice.TestCase):
    source = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.media = cls.home.work / "media"
        cls.media.mkdir()
        cls.gather(cls.media)
        cls.home.run("sql", "-f", PIPELINES / cls.source)

    def files(self):
        return sorted(file.name for file in self.media.iterdir())


class Video(Pipeline):
    source = "video.sql"

    @staticmethod
    def gather(folder):
        examples = pathlib.Path("/usr/share/doc/opencv-doc/examples/data")
        shutil.copy(examples / "vtest.avi", folder)
        text = f"drawtext=fontfile={FONT}:text=Invoice 4711:fontsize=60:x=40:y=90:fontcolor=black"
        output_of("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=white:s=640x240:d=2:r=10",
                  "-vf", text, folder / "invoice.mp4")  # fmt: skip

    def test_frames_their_fingerprints_and_their_text(self):
        self.home.run("insert", "pipelines.film", "--from", self.media)
        frames = self.home.rows("SELECT * FROM pipelines.frame ORDER BY file, pos")
        self.assertEqual([(f["file"], f["pos"]) for f in frames],
                         [(file, pos) for file in self.files() for pos in range(4)])  # fmt: skip
        for frame in frames:
            self.assertRegex(frame["fingerprint"], r"^[0-9a-f]{16}$")
            self.assertLess(frame["at_seconds"], duration_of(self.media / frame["file"]))
        self.assertEqual({f["words"] for f in frames if f["file"] == "invoice.mp4"}, {"Invoice 4711"})
        street = [f["fingerprint"] for f in frames if f["file"] == "vtest.avi"]
        invoice = [f["fingerprint"] for f in frames if f["file"] == "invoice.mp4"]
        self.assertEqual(len(set(invoice)), 1, "one picture throughout")
        self.assertFalse(set(street) & set(invoice))
        # Both tables have one history.
        version = self.home.versions("pipelines.film")[-1]
        self.assertEqual(self.home.versions("pipelines.frame")[-1], version)
        self.home.sql("DELETE FROM pipelines.film WHERE file = 'invoice.mp4'")
        self.assertEqual(self.home.value("SELECT count(*) FROM pipelines.frame"), 4)
        past = f'SELECT count(*) FROM pipelines."frame:{version}"'
        self.assertEqual(self.home.value(past), 8)
        self.home.run("revert", "pipelines.film", "--to", str(version), "--yes")
        again = self.home.rows("SELECT * FROM pipelines.frame ORDER BY file, pos")
        self.assertEqual(again, frames)


class Documents(Pipeline):
    source = "documents.sql"

    @staticmethod
    def gather(folder):
        shutil.copy("/usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf", folder)
        (folder / "note.md").write_text("# Trees\n\nCoppicing renews hazel and willow.\n\n"
                                        "## Later\n\nA stool grows back.\n")  # fmt: skip

    def test_chunks_and_keywords(self):
        self.home.run("insert", "pipelines.paper", "--from", self.media)
        pdf = self.media / "shared-mime-info-spec.pdf"
        words = r"[A-Za-z]{7,}"
        wanted = set(re.findall(words, output_of("pdftotext", pdf, "-").lower()))
        chunks = self.home.rows("SELECT * FROM pipelines.chunk WHERE file = "
                                f"'{pdf.name}' ORDER BY pos")  # fmt: skip
        found = set(re.findall(words, " ".join(c["text"] for c in chunks).lower()))
        self.assertGreater(len(wanted), 200)
        self.assertGreater(len(wanted & found) / len(wanted), 0.97)
        pages = int(re.search(r"Pages:\s+(\d+)", output_of("pdfinfo", pdf))[1])
        self.assertEqual({c["page"] for c in chunks} - set(range(1, pages + 1)), set())
        self.assertGreaterEqual(len({c["page"] for c in chunks}), pages - 1)
        self.assertLessEqual(max(len(c["text"]) for c in chunks), 2000)
        (top,) = self.home.rows("SELECT file FROM pipelines.keyword WHERE word = 'willow'")
        self.assertEqual(top["file"], "note.md")
        search = "SELECT text FROM pipelines.chunk WHERE terms @@ to_tsquery('english', 'coppice')"
        self.assertIn("hazel", self.home.value(search))
        self.home.sql("DELETE FROM pipelines.paper WHERE file = 'note.md'")
        self.assertEqual(self.home.values(search), [])


class Sounds(Pipeline):
    source = "sounds.sql"

    @staticmethod
    def gather(folder):
        for file in sorted(pathlib.Path("/usr/share/sounds/alsa").glob("*.wav"))[:5]:
            shutil.copy(file, folder)

    def test_segments_and_their_loudness(self):
        self.home.run("insert", "pipelines.recording", "--from", self.media)
        self.assertEqual(len(self.files()), 5)
        for file in self.files():
            seconds = duration_of(self.media / file)
            parts = self.home.rows("SELECT *, duration(segment) AS length FROM pipelines.segment "
                                   f"WHERE file = '{file}' ORDER BY pos")  # fmt: skip
            self.assertEqual(len(parts), math.ceil(seconds - 1e-3), file)
            self.assertAlmostEqual(sum(part["length"] for part in parts), seconds, delta=0.01)
            self.assertTrue(any(part["loudness"] is not None for part in parts), file)


if __name__ == "__main__":
    tap.main()
