"""What comes out of videos and documents: frames against ffmpeg, text against pdftotext, and the
memory that ten thousand frames take."""

import concurrent.futures
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import threading
import time

import numpy
from framework import Benchmark, HomeBenchmark, MissingPeer, WrongResult, run_program
from support.coppice import Home

STREET = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
WIDTH, HEIGHT, RATE = 1920, 1080, 25


def make_clip(file, first_second, seconds):
    """1080p H.264 at 25 frames a second: a street of the package opencv-doc, enlarged, with the
    noise of a camera."""
    source = next((pathlib.Path(p) for p in (STREET, STREET + ".gz") if os.path.exists(p)), None)
    if source is None:
        raise MissingPeer(f"{STREET} is not there: install opencv-doc")
    if source.suffix == ".gz":
        unpacked = file.parent / "street.avi"
        if not unpacked.exists():
            unpacked.write_bytes(gzip.decompress(source.read_bytes()))
        source = unpacked
    # 10 frames a second become 25: no frame is there twice.
    run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", "-1", "-i", source,
                 "-vf", f"setpts=0.4*PTS,trim=start={first_second},setpts=PTS-STARTPTS,fps={RATE},"
                 f"scale={WIDTH}:{HEIGHT}:flags=bicubic,noise=alls=6:allf=t,format=yuv420p",
                 "-t", str(seconds), "-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23",
                 "-g", "250", file])  # fmt: skip


def pixels_of(file, *filters):
    """[height, width, 3] uint8 of a picture, or of the first frame that passes the filters."""
    argv = ["ffmpeg", "-v", "error", "-nostdin", "-i", file, *filters, "-frames:v", "1",
            "-sws_flags", "bicubic+full_chroma_int+accurate_rnd",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
    result = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0 or len(result.stdout) != WIDTH * HEIGHT * 3:
        raise WrongResult(f"{file} cannot be read as a frame: {result.stderr[-500:]}")
    return numpy.frombuffer(result.stdout, dtype=numpy.uint8).astype(float)


def psnr(one, other):
    error = numpy.mean((one - other) ** 2)
    return 99.0 if error == 0 else float(10 * numpy.log10(255**2 / error))


class Frames(Benchmark):
    """Frames of four videos into a materialized view, against ffmpeg writing the same frames as
    JPEG files. ffmpeg decodes and encodes with one thread in as many processes as there are cores,
    which is its fastest way here (faster than one process with all threads after another), and
    with the plain Huffman tables that ours have (its own better ones would cost it time). Its
    quality is chosen so that its pictures are as near to the video as ours. Ours are durable at
    the end, in rows of a version; each run has a home of its own, as a store that has a frame
    already would not write it again."""

    name = "frames"
    meaning = "frames(clip, fps) of 1080p H.264 in a materialized view, against ffmpeg"
    unit = "frames/s"
    bar = 0.8
    full_size = 400
    smoke_size = 8
    fps = 5
    clip_count = 4
    peer_quality = "4"  # -q:v
    peer_options = ("-huffman", "default")
    least_psnr = 36  # of either side's pictures, to the video's own
    like = 1.0  # dB that ours may be worse

    def prepare(self):
        self.clips = []
        self.frames_each = self.size // self.clip_count
        for number in range(self.clip_count):
            clip = self.folder / f"clip{number}.mp4"
            make_clip(clip, number * 3, self.frames_each / self.fps)
            clip.chmod(0o644)
            self.clips.append(clip)
        self.out = self.folder / "theirs"
        self.run_number = 0

    def theirs(self):
        shutil.rmtree(self.out, ignore_errors=True)
        for clip in self.clips:
            (self.out / clip.stem).mkdir(parents=True)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as at_once:
            begin = time.monotonic()
            list(at_once.map(self.ffmpeg, self.clips))
            seconds = time.monotonic() - begin
        for clip in self.clips:
            self.expect(len(list((self.out / clip.stem).iterdir())), self.frames_each, "frames of ffmpeg")
        return self.size / seconds

    def ffmpeg(self, clip):
        run_program(["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i", clip,
                     "-vf", f"fps={self.fps}", "-threads", "1", "-c:v", "mjpeg",
                     "-q:v", self.peer_quality, *self.peer_options,
                     "-pix_fmt", "yuvj420p", self.out / clip.stem / "%05d.jpg"])  # fmt: skip

    def ours(self):
        self.run_number += 1
        home = Home(self.folder / f"home{self.run_number}")
        home.run("init")
        try:
            home.sql("CREATE TABLE film (id int PRIMARY KEY, clip video)")
            for number, clip in enumerate(self.clips):
                home.sql(f"INSERT INTO film VALUES ({number}, '{clip}')")
            begin = time.monotonic()
            home.run("sql", "CREATE MATERIALIZED VIEW frame AS SELECT f.id, i.pos, i.at_seconds, "
                            f"i.frame FROM film f, LATERAL frames(f.clip, fps => {self.fps}) AS i",
                     timeout=3600)  # fmt: skip
            seconds = time.monotonic() - begin
            self.check(home)
        finally:
            home.stop()
            shutil.rmtree(home.folder, ignore_errors=True)
        return self.size / seconds

    def check(self, home):
        counts = home.values("SELECT id, count(frame), max(pos) FROM frame GROUP BY id ORDER BY id")
        wanted = [[n, self.frames_each, self.frames_each - 1] for n in range(self.clip_count)]
        self.expect(counts, wanted, "frames")
        if self.run_number > 1:
            return
        # The same pictures, and as good ones: the first, one in the middle, and the last.
        for number, clip in enumerate(self.clips):
            for pos in sorted({0, self.frames_each // 2, self.frames_each - 1}):
                name = home.value(f"SELECT frame FROM frame WHERE id = {number} AND pos = {pos}")
                path = home.run("media", "path", name, "--csv").splitlines()[-1]
                ours = pixels_of(path)
                theirs = pixels_of(self.out / clip.stem / f"{pos + 1:05}.jpg")
                true = pixels_of(clip, "-vf", f"fps={self.fps},select=eq(n\\,{pos})")
                ours_db, theirs_db = psnr(ours, true), psnr(theirs, true)
                if min(ours_db, theirs_db) < self.least_psnr or ours_db < theirs_db - self.like:
                    raise WrongResult(
                        f"{self.name}: frame {pos} of {clip.name}: {ours_db:.1f} dB from the video, "
                        f"ffmpeg's {theirs_db:.1f} dB"
                    )


def tree_rss_kib(root):
    """{pid: resident KiB} of a process and all below it."""
    parents, sizes = {}, {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            with open(f"/proc/{entry.name}/status") as file:
                facts = dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            continue
        parents[int(entry.name)] = int(facts["PPid"])
        sizes[int(entry.name)] = int(facts.get("VmRSS", "0 kB").split()[0])
    found, new = {}, [root]
    while new:
        pid = new.pop()
        if pid in sizes and pid not in found:
            found[pid] = sizes[pid]
            new += [child for child, parent in parents.items() if parent == pid]
    return found


class FramesMemory(HomeBenchmark):
    """The most memory that the program and all its workers (one here: there is one video) have
    resident at the same moment, looked at every 50 ms; pages that they share count for each. The
    server is a process of its own. The video repeats a stretch of ten seconds, so that the disk
    need not hold ten thousand pictures: decoded, encoded, hashed and put into rows are all."""

    name = "frames_memory"
    meaning = "memory of program and worker while frames of 1080p go into a materialized view"
    unit = "MiB"
    bar = 512
    at_most = True
    has_peer = False
    full_size = 10_000
    smoke_size = 40
    stretch = 250  # frames

    def prepare(self):
        super().prepare()
        part, self.clip = self.folder / "part.mp4", self.folder / "clip.mp4"
        frames = min(self.stretch, self.size)
        make_clip(part, 0, frames / RATE)
        run_program(["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", str(self.size // frames - 1),
                     "-i", part, "-c", "copy", self.clip])  # fmt: skip
        self.clip.chmod(0o644)
        self.home.environment = {"COPPICE_WORKERS_COUNT": "1"}
        self.home.sql("CREATE TABLE film (id int PRIMARY KEY, clip video)")
        self.home.sql(f"INSERT INTO film VALUES (1, '{self.clip}')")

    def ours(self):
        self.home.sql("DROP MATERIALIZED VIEW IF EXISTS frame")
        process = self.home.start(
            "sql", f"CREATE MATERIALIZED VIEW frame AS SELECT i.pos, i.frame FROM film f, "
                   f"LATERAL frames(f.clip, fps => {RATE}) AS i")  # fmt: skip
        peak, most_processes = 0, 0
        ended = threading.Event()
        threading.Thread(target=lambda: (process.communicate(), ended.set()), daemon=True).start()
        while not ended.wait(0.05):
            sizes = tree_rss_kib(process.pid)
            peak, most_processes = max(peak, sum(sizes.values())), max(most_processes, len(sizes))
        self.expect(process.returncode, 0, "exit code")
        self.expect(most_processes, 2, "processes seen: the program and a worker")
        self.expect(self.home.values("SELECT count(frame), max(pos) FROM frame"),
                    [[self.size, self.size - 1]], "frames")  # fmt: skip
        return peak / 1024


# Every PDF of these packages (scripts/packages, group bench), whole.
PDF_FOLDERS = ("debian-policy", "debian", "fontconfig", "groff-base", "maint-guide",
               "shared-mime-info", "valgrind")  # fmt: skip
PDF_MORE = ("/usr/share/developers-reference/developers-reference.pdf",)


def find_pdfs():
    files = [pathlib.Path(name) for name in PDF_MORE]
    for name in PDF_FOLDERS:
        files += pathlib.Path("/usr/share/doc", name).rglob("*.pdf*")
    found = {}
    for file in sorted(file for file in files if file.exists() and not file.is_symlink()):
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix == ".gz" else data
        if data.startswith(b"%PDF"):
            found[hashlib.sha256(data).digest()] = data
    if len(found) < 8:
        raise MissingPeer(f"only {len(found)} PDFs: install the packages of scripts/packages, group bench")
    return list(found.values())


class PdfText(HomeBenchmark):
    """The text of documents into a computed column, against pdftotext writing it to files. The
    documents are manuals of Debian packages, from one page to some hundred; those of which more
    are needed than there are get a trailing comment, so that each is a document of its own.
    pdftotext is a process a file, as many at once as there are cores, the longest first: the best
    that a shell can do. Ours runs pdftotext too, behind walls, and keeps the text in the table."""

    name = "pdf_text"
    meaning = "text(document) of PDFs in a computed column, against pdftotext on all cores"
    unit = "documents/s"
    bar = 0.8
    full_size = 160
    smoke_size = 12

    def prepare(self):
        super().prepare()
        self.files = self.folder / "files"
        self.files.mkdir()
        originals = find_pdfs()
        if self.size < 2 * len(originals):
            originals.sort(key=len)
        for number in range(self.size):
            data = originals[number % len(originals)] + b"\n%% copy %d\n" % number
            (self.files / f"{number:05}.pdf").write_bytes(data)
        self.home.sql("CREATE TABLE paper (file document)")
        self.home.run("insert", "paper", "--from", self.files, timeout=3600)
        self.run_number = 0

    def theirs(self):
        out = self.folder / "theirs"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        files = sorted(self.files.iterdir(), key=lambda file: -file.stat().st_size)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as at_once:
            begin = time.monotonic()
            list(at_once.map(lambda file: run_program(["pdftotext", file, out / file.stem]), files))
            seconds = time.monotonic() - begin
        self.texts = sorted(hashlib.md5(file.read_bytes()).hexdigest() for file in out.iterdir())
        self.expect(len(self.texts), self.size, "texts of pdftotext")
        return self.size / seconds

    def ours(self):
        self.run_number += 1
        column = f"text{self.run_number}"
        seconds = self.timed("sql", f"ALTER TABLE paper ADD COLUMN {column} text "
                                    "GENERATED ALWAYS AS (text(file)) STORED")  # fmt: skip
        found = sorted(row[0] for row in self.home.values(f"SELECT md5({column}) FROM paper"))
        self.expect(found, self.texts, "texts")
        return self.size / seconds


BENCHMARKS = [Frames, FramesMemory, PdfText]
