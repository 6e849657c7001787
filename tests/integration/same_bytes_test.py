#!/usr/bin/python3
"""Every built-in function gives the same bytes each time: twice in one worker and in a second one, in
another order, with other leftovers in its memory, on a busy machine, with fewer threads. Results of
IMMUTABLE functions are kept, backed up and compared by their digests, so one byte is a difference."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home, scratch_folder  # noqa: E402
from support.media_worker import MediaWorker  # noqa: E402

BOXES = {"jsonb": "[[10, 10, 60, 40]]"}
NONE = {"jsonb": "[]"}
SOUNDS = ("flac", "wav", "mp3", "opus")
PICTURES = ("jpeg", "png", "webp", "avif", "gif", "tiff")
# Where a video is coded again: each container and codec seeks and decodes in its own way.
CLIPS = ("mp4", "ts", "webm", "avi")


def make_clips(folder):
    """A moving picture with noise and a changing sound, so that no encoder has it easy."""
    begin = ["ffmpeg", "-v", "error", "-nostdin", "-y",
             "-f", "lavfi", "-i", "testsrc2=size=162x118:rate=25:duration=4,noise=alls=20:allf=t",
             "-f", "lavfi", "-i", "aevalsrc=0.4*sin(700*t*(1+t))+0.1*random(0):duration=4"]  # fmt: skip
    ways = {
        "mp4": ["-c:v", "libx264", "-g", "30", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "ts": ["-c:v", "libx264", "-g", "30", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "30",
                 "-pix_fmt", "yuv420p", "-c:a", "libopus"],
        "avi": ["-c:v", "mpeg4", "-g", "30", "-c:a", "libmp3lame"],
    }  # fmt: skip
    for name, way in ways.items():
        subprocess.run([*begin, *way, folder / f"noisy.{name}"], check=True)


def media_calls(image, other, video, audio, document):
    """(id of the function, arguments) for the functions of these media."""
    for format in PICTURES:
        yield "encode(image,text,bigint)", [image, format, 80]
    for degrees in (90.0, 12.5):
        yield "rotate(image,float8)", [image, degrees]
    for mode in ("grey", "rgb", "rgba"):
        yield "convert_mode(image,text)", [image, mode]
    yield "resize(image,bigint,bigint)", [image, 77, 0]
    yield "crop(image,bigint,bigint,bigint,bigint)", [image, 5, 7, 40, 30]
    yield "grayscale(image)", [image]
    yield "flip(image,text)", [image, "vertical"]
    yield "fit(image,bigint,bigint)", [image, 90, 50]
    yield "pad(image,bigint,bigint,text)", [image, 90, 50, "white"]
    yield "paste(image,image,bigint,bigint,float8)", [image, other, 3, 4, 0.5]
    yield "blur(image,float8)", [image, 2.0]
    yield "sharpen(image,float8,float8)", [image, 1.0, 1.0]
    for filter in ("brightness", "contrast", "saturation"):
        yield f"{filter}(image,float8)", [image, 1.3]
    yield "draw_boxes(image,jsonb,text,bigint)", [image, BOXES, "red", 3]
    yield "tiles(image,bigint,bigint)", [image, 100, 10]
    yield "dominant_colors(image,bigint)", [image, 5]
    yield "pixel(image,bigint,bigint)", [image, 3, 3]
    yield "ocr(image,text)", [image, "eng"]
    for format in SOUNDS:
        yield "encode(audio,text)", [audio, format]
    yield "clip(audio,float8,float8)", [audio, 0.2, 0.9]
    yield "resample(audio,bigint,bigint)", [audio, 22050, 1]
    yield "waveform(audio,bigint,bigint,text)", [audio, 300, 100, "black"]
    yield "silence_share(audio,float8,float8)", [audio, 0.5, -50.0]
    yield "audio_segments(audio,float8,float8,float8)", [audio, 0.7, 0.0, 0.1]
    yield "audio_segments(audio,float8,float8,float8)", [audio, 0.0, 0.3, 0.1]
    yield "page_image(document,bigint,bigint)", [document, 1, 60]
    yield "pages(document)", [document]
    yield "chunks(document,text,bigint,bigint)", [document, "paragraph", 0, 0]


def video_calls(video):
    for mode in ("fast", "accurate"):
        yield "clip(video,float8,float8,text)", [video, 0.3, 2.1, mode]
        yield ("video_segments(video,float8,jsonb,float8,text)",
               [video, 0.0, {"jsonb": "[1.1, 2.04]"}, 0.0, mode])  # fmt: skip
        yield "video_segments(video,float8,jsonb,float8,text)", [video, 1.5, NONE, 0.5, mode]
    for format in SOUNDS:
        yield "extract_audio(video,text)", [video, format]
    yield "resize(video,bigint,bigint)", [video, 80, 0]
    yield "crop(video,bigint,bigint,bigint,bigint)", [video, 3, 5, 100, 61]
    yield "grayscale(video)", [video]
    yield "mute(video)", [video]
    yield "frame_at(video,float8)", [video, 1.7]
    yield "last_frame(video)", [video]
    yield "contact_sheet(video,bigint,bigint,bigint)", [video, 3, 2, 100]
    yield "frames(video,float8,bigint,boolean,jsonb,boolean)", [video, 7.0, 0, False, NONE, True]
    yield "frames(video,float8,bigint,boolean,jsonb,boolean)", [video, 0.0, 5, False, NONE, True]
    yield "frames(video,float8,bigint,boolean,jsonb,boolean)", [video, 0.0, 0, True, NONE, False]
    yield ("frames(video,float8,bigint,boolean,jsonb,boolean)",
           [video, 0.0, 0, False, {"jsonb": "[3.1, 0.2, 99]"}, True])  # fmt: skip
    yield "scenes(video,float8)", [video, 0.3]


def plain_calls():
    yield "elements(jsonb)", [{"jsonb": '[1, "b", {"c": 12345678901234567890}]'}]
    yield "chunks(text,text,bigint,bigint)", ["One. Two. Three.", "sentence", 0, 0]
    yield "box_convert(jsonb,text,text)", [BOXES, "xyxy", "xywh"]
    yield "box_scale(jsonb,float8,float8)", [BOXES, 0.5, 0.3]
    yield "box_clip(jsonb,bigint,bigint)", [BOXES, 30, 30]
    yield "box_iou(jsonb,jsonb)", [{"jsonb": "[0, 0, 3, 3]"}, {"jsonb": "[1, 1, 4, 4]"}]


def id_of(printed):
    """The id of a function as the worker knows it: resize(image, width bigint) is
    resize(image,bigint)."""
    name, parameters = re.fullmatch(r"(\w+)\((.*)\)", printed).groups()
    types = [p.split(" DEFAULT ")[0].split()[-1] for p in parameters.split(", ") if p]
    return f"{name}({','.join(types)})"


class Busy:
    """Two processes a core that do nothing but keep it from others."""

    def __enter__(self):
        spin = [sys.executable, "-c", "while True: pass"]
        self._processes = [subprocess.Popen(spin) for _ in range(2 * (os.cpu_count() or 1))]

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
            process.wait()


class SameBytes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.media = coppice.media_folder(cls)
        cls.clips = scratch_folder(cls, "clips.")
        make_clips(cls.clips)
        home = Home.make(cls)
        cls.known = {id_of(row["function"]): row for row in home.json_lines("functions")}

    def calls(self, worker):
        media = {
            kind: worker.store(self.media / name, kind)
            for kind, name in {"audio": "tone.mp3", "document": "two_pages.pdf"}.items()
        }
        picture, other = (worker.store(self.media / name, "image") for name in ("portrait.jpg", "alpha.png"))
        clips = [worker.store(self.clips / f"noisy.{name}", "video") for name in CLIPS]
        calls = [*plain_calls(), *media_calls(picture, other, clips[0], **media)]
        for clip in clips:
            calls += video_calls(clip)
        # What takes nothing but one medium needs no thought.
        kinds = {"image": picture, "video": clips[0], **media}
        asked = {function for function, _ in calls}
        for function in sorted(self.known):
            kind = function.partition("(")[2].rstrip(")")
            if function not in asked and kind in kinds:
                calls.append((function, [kinds[kind]]))
        return calls

    def results(self, folder, order, environment, cores=None):
        """[(function, arguments), cell] of all calls, each made twice."""
        with MediaWorker(folder, environment, cores) as worker:
            calls = self.calls(worker)
            missing = set(self.known) - {function for function, _ in calls}
            self.assertFalse(missing, f"no call of {missing}: add one here")
            found = [{}, {}]
            for cells in found:
                for number in order(range(len(calls))):
                    function, arguments = calls[number]
                    cell = worker.call(function, arguments)
                    self.assertFalse(isinstance(cell, dict) and "error" in cell, (function, cell))
                    cells[number] = cell
        return calls, found

    def test_every_function_gives_the_same_bytes_each_time(self):
        scratch = scratch_folder(self)
        calls, found = self.results(scratch / "one", list, {"MALLOC_PERTURB_": "85"})
        with Busy():
            _, more = self.results(
                scratch / "two", reversed, {"MALLOC_PERTURB_": "170"}, [min(os.sched_getaffinity(0))]
            )
        differing = set()
        for number, (function, arguments) in enumerate(calls):
            cells = [run[number] for run in (*found, *more)]
            if any(cell != cells[0] for cell in cells):
                differing.add(f"{function} of {arguments}")
        self.assertEqual(differing, set())


if __name__ == "__main__":
    tap.main()
