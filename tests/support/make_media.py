#!/usr/bin/python3
"""Makes the small media files that tests read, the same in every run.

    make_media.py FOLDER

Needs ffmpeg and vips (scripts/packages, group test). What each file holds is in FILES below; tests
rely on those facts.
"""

import pathlib
import subprocess
import sys
import zlib

# name: what tests may rely on
FILES = {
    "red.png": "64 x 48, one colour (255, 0, 0)",
    "gradient.jpg": "640 x 480, grey ramp from left to right",
    "portrait.jpg": "480 x 640 as shown: stored 640 x 480 with EXIF orientation 6",
    "gradient.webp": "640 x 480",
    "gradient.tif": "640 x 480",
    "still.gif": "640 x 480",
    "alpha.png": "32 x 32 with an alpha band",
    "clip.mp4": "3.0 s, 320 x 240, 25 frames/s, H.264, a 440 Hz tone",
    "silent.avi": "1.0 s, 160 x 120, 10 frames/s, MPEG-4, no sound",
    "tone.wav": "2.0 s, 44100 Hz, 2 channels",
    "tone.mp3": "2 s, 44100 Hz, 2 channels",
    "speech.flac": "1.0 s, 16000 Hz, 1 channel",
    "two_pages.pdf": "2 pages: 'First page' and 'Second page'",
    "page.html": "title Street, text 'Hello & welcome'",
    "note.md": "# Note",
    "plain.txt": "two lines, UTF-8",
    "truncated.jpg": "the first half of gradient.jpg",
    "pdf.mp4": "two_pages.pdf under another name",
    "empty.png": "0 bytes",
    "huge.png": "a header of 40000 x 40000 pixels, and the data of a few",
    "noise.jpg": "no image: 4096 bytes of nothing",
}


def run(*argv):
    result = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))}\n{result.stderr}")


def ffmpeg(*arguments):
    run("ffmpeg", "-loglevel", "error", "-nostdin", "-y", "-fflags", "+bitexact",
        "-threads", "1", *arguments)  # fmt: skip


def pdf(texts):
    """A PDF of one line of text a page."""
    count = len(texts)
    pages = " ".join(f"{4 + 2 * i} 0 R" for i in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{pages}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(texts):
        stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    )


def png_chunk(kind, data):
    return (
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    )


def huge_png():
    header = (40000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(1000)))
        + png_chunk(b"IEND", b"")
    )


def jpeg_with_orientation(jpeg, orientation):
    """Puts an EXIF block with one tag behind the start of a JPEG."""
    tiff = b"MM\x00\x2a\x00\x00\x00\x08" + b"\x00\x01" + b"\x01\x12\x00\x03\x00\x00\x00\x01"
    tiff += orientation.to_bytes(2, "big") + b"\x00\x00" + b"\x00\x00\x00\x00"
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def make_pictures(folder):
    ramp = folder / "ramp.v"
    run("vips", "grey", ramp, "640", "480", "--uchar")
    for name in ("gradient.jpg[Q=90]", "gradient.webp[Q=90]", "gradient.tif", "still.gif"):
        run("vips", "copy", ramp, folder / name)
    ramp.unlink()
    ffmpeg("-f", "lavfi", "-i", "color=0xff0000:size=64x48:rate=1", "-frames:v", "1",
           "-pix_fmt", "rgb24", folder / "red.png")  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", "color=0x00ff0080:size=32x32:rate=1,format=rgba", "-frames:v", "1",
           folder / "alpha.png")  # fmt: skip
    jpeg = (folder / "gradient.jpg").read_bytes()
    (folder / "portrait.jpg").write_bytes(jpeg_with_orientation(jpeg, 6))
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "huge.png").write_bytes(huge_png())
    (folder / "empty.png").write_bytes(b"")
    (folder / "noise.jpg").write_bytes(bytes(i * 37 % 251 for i in range(4096)))


def make_clips(folder):
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=3",
           "-f", "lavfi", "-i", "sine=frequency=440:duration=3:sample_rate=44100",
           "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest",
           folder / "clip.mp4")  # fmt: skip
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1", "-c:v", "mpeg4",
           folder / "silent.avi")  # fmt: skip
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2:sample_rate=44100", "-ac", "2")
    ffmpeg(*tone, folder / "tone.wav")
    ffmpeg(*tone, folder / "tone.mp3")
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=300:duration=1:sample_rate=16000", "-ac", "1",
           folder / "speech.flac")  # fmt: skip


def make_documents(folder):
    (folder / "two_pages.pdf").write_text(pdf(["First page", "Second page"]))
    (folder / "pdf.mp4").write_text(pdf(["First page", "Second page"]))
    (folder / "page.html").write_text(
        "<!DOCTYPE html><html><head><title>Street</title><script>var no;</script></head>"
        "<body><p>Hello &amp; welcome</p></body></html>\n"
    )
    (folder / "note.md").write_text("# Note\n\nA *small* one.\n")
    (folder / "plain.txt").write_text("first line\nzweite Zeile: äöü\n")


def make(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    make_pictures(folder)
    make_clips(folder)
    make_documents(folder)
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        sys.exit(f"not made: {', '.join(missing)}")
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    make(sys.argv[1])
