"""Media: thumbnails against vipsthumbnail, on the same files with the same number of threads."""

import os
import shutil
import subprocess
import time

from framework import HomeBenchmark, MissingPeer, WrongResult, run_program


def make_pictures(folder, count, suffix, size):
    """`count` different pictures of 1080p, from one noisy gradient shifted by a few pixels each."""
    folder.mkdir()
    if shutil.which("vips") is None:
        raise MissingPeer("vips is not installed")
    width, height = size
    noise, ramp, whole = (folder / name for name in ("noise.v", "ramp.v", "whole.v"))
    run_program(["vips", "gaussnoise", noise, str(width + 400), str(height + 400),
                 "--mean", "0", "--sigma", "12"])  # fmt: skip
    run_program(["vips", "grey", ramp, str(width + 400), str(height + 400), "--uchar"])
    run_program(["vips", "add", ramp, noise, folder / "sum.v"])
    run_program(["vips", "cast", folder / "sum.v", folder / "one.v", "uchar"])
    run_program(["vips", "bandjoin", " ".join([str(folder / "one.v")] * 3), folder / "three.v"])
    run_program(["vips", "copy", folder / "three.v", whole, "--interpretation", "srgb"])
    originals = min(count, 40)
    for i in range(originals):
        run_program(["vips", "crop", whole, folder / f"picture{i:05}{suffix}",
                     str(i * 9), str(i * 7), str(width), str(height)])  # fmt: skip
    for file in folder.glob("*.v"):
        file.unlink()
    # Copies that differ in a trailing comment, so that each is an object and a call of its own.
    for i in range(originals, count):
        data = (folder / f"picture{i % originals:05}{suffix}").read_bytes()
        (folder / f"picture{i:05}{suffix}").write_bytes(data + b"copy %d" % i)


class Thumbnails(HomeBenchmark):
    name = "thumbnails"
    meaning = "JPEGs of 1080p to thumbnails in a computed column, against vipsthumbnail"
    unit = "pictures/s"
    bar = 1.5
    full_size = 2000
    smoke_size = 12
    suffix = ".jpg"
    # What ours become: JPEG, but PNG of what was stored without loss.
    peer_format = "%s.jpg[Q=85]"
    picture_size = (1920, 1080)

    def prepare(self):
        super().prepare()
        self.pictures = self.folder / "pictures"
        make_pictures(self.pictures, self.size, self.suffix, self.picture_size)
        self.run_number = 0

    def theirs(self):
        out = self.folder / "theirs"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        files = sorted(self.pictures.iterdir())
        cores = os.cpu_count()
        begin = time.monotonic()
        processes = [
            self.vipsthumbnail(files[part::cores], out) for part in range(cores) if files[part::cores]
        ]
        for process in processes:
            if process.wait() != 0:
                raise WrongResult("vipsthumbnail failed")
        seconds = time.monotonic() - begin
        self.expect(len(list(out.iterdir())), self.size, "thumbnails of vipsthumbnail")
        return self.size / seconds

    def vipsthumbnail(self, files, out):
        if shutil.which("vipsthumbnail") is None:
            raise MissingPeer("vipsthumbnail is not installed")
        argv = ["vipsthumbnail", "--size", "320x", "--output", f"{out}/{self.peer_format}", *files]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                env=dict(os.environ, VIPS_CONCURRENCY="1"))  # fmt: skip

    def ours(self):
        # The pictures are in the store already, as theirs are in the page cache: the thumbnails
        # are what is measured. A table of its own each time, with no result to reuse.
        self.run_number += 1
        home = f"run{self.run_number}"
        width = 320 + self.run_number  # another call each time: results of the last are no help
        self.home.sql(f"CREATE TABLE {home} (photo image)")
        self.home.run("insert", home, "--from", self.pictures, timeout=3600)
        seconds = self.timed("sql", f"ALTER TABLE {home} ADD COLUMN small image "
                                    f"GENERATED ALWAYS AS (resize(photo, {width})) STORED")  # fmt: skip
        found = self.home.values(
            f"SELECT count(small), count(DISTINCT small) <= count(*) FROM {home}"
        )
        self.expect(found, [[self.size, True]], "thumbnails")
        sample = self.home.values(
            f"SELECT width(small), height(small) FROM (SELECT small FROM {home} LIMIT 3) s"
        )
        height = round(self.picture_size[1] * width / self.picture_size[0])
        for pair in sample:
            if pair[0] != width or abs(pair[1] - height) > 1:
                raise WrongResult(f"{self.name}: a thumbnail of {pair}, not {width} x {height}")
        return self.size / seconds


class ThumbnailsPng(Thumbnails):
    name = "thumbnails_png"
    meaning = "the same for PNG"
    bar = 0.9
    full_size = 200
    suffix = ".png"
    peer_format = "%s.png"


class ThumbnailsWebp(Thumbnails):
    name = "thumbnails_webp"
    meaning = "the same for WebP"
    bar = 0.9
    full_size = 200
    suffix = ".webp"


BENCHMARKS = [Thumbnails, ThumbnailsPng, ThumbnailsWebp]
