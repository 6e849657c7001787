"""An HTTP server on 127.0.0.1 that serves what a test gives it, faults included.

    server = FileServer.start(self)             # stopped when the test ends
    url = server.put("/a.png", data)            # with an ETag; 304 for who has it already
    server.fail("/gone.png", 404)
    server.cut("/half.png", data)               # closes the connection in the middle
    server.hang("/slow.png", seconds)           # sends nothing for so long
    server.count("/a.png")                      # requests so far
    server.serve_folder(folder)                 # any other path is a file of this folder

As an HTTP proxy it is every server of the world. `stop()` makes it unreachable, `again()` brings it back on the same port.
"""

import hashlib
import http.server
import pathlib
import struct
import threading
import time
import urllib.parse
import zlib


def png(width, height, seed=0, noise=False):
    """A grey PNG; `noise` makes its size about width * height bytes."""

    def row(y):
        if not noise:
            return b"\0" + bytes([seed % 256]) * width
        block = b""
        while len(block) < width:
            block += hashlib.sha256(f"{seed} {y} {len(block)}".encode()).digest()
        return b"\0" + block[:width]

    def chunk(name, body):
        data = name + body
        return struct.pack(">I", len(body)) + data + struct.pack(">I", zlib.crc32(data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(row(y) for y in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        files = self.server.files
        path = urllib.parse.urlsplit(self.path).path
        with files.lock:
            files.requests.append((path, dict(self.headers)))
            files.running += 1
            files.most_at_once = max(files.most_at_once, files.running)
            answer = files.answers.get(path) or files.file_answer(path)
        try:
            time.sleep(files.delay_seconds)
            answer(self) if answer else self.send_error(404)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with files.lock:
                files.running -= 1

    def log_message(self, *_):
        pass


class FileServer:
    def __init__(self):
        self.answers = {}
        self.requests = []
        self.running = self.most_at_once = 0
        self.folder = None
        self.delay_seconds = 0
        self.lock = threading.Lock()
        self._server = None
        self._port = 0

    @classmethod
    def start(cls, test):
        """`test` is a TestCase or the class of one."""
        server = cls()
        server.again()
        (test.addClassCleanup if isinstance(test, type) else test.addCleanup)(server.stop)
        return server

    def again(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), _Handler)
        self._server.daemon_threads = True
        self._server.files = self
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def url(self, path):
        return f"http://127.0.0.1:{self._port}{path}"

    def count(self, path=None):
        with self.lock:
            return sum(path in (None, requested) for requested, _ in self.requests)

    def serve_folder(self, folder):
        self.folder = pathlib.Path(folder)

    def file_answer(self, path):
        file = self.folder / path.lstrip("/") if self.folder else None
        return self._answer_of(file.read_bytes()) if file and file.is_file() else None

    def put(self, path, data, kind="image/png"):
        self.answers[path] = self._answer_of(data, kind)
        return self.url(path)

    @staticmethod
    def _answer_of(data, kind="application/octet-stream"):
        etag = f'"{hashlib.sha256(data).hexdigest()[:12]}"'

        def answer(request):
            known = request.headers.get("If-None-Match") == etag
            request.send_response(304 if known else 200)
            request.send_header("ETag", etag)
            request.send_header("Content-Type", kind)
            request.send_header("Content-Length", "0" if known else str(len(data)))
            request.end_headers()
            if not known:
                request.wfile.write(data)

        return answer

    def fail(self, path, status):
        self.answers[path] = lambda request: request.send_error(status)
        return self.url(path)

    def cut(self, path, data):
        def answer(request):
            request.send_response(200)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data[: len(data) // 2])
            request.close_connection = True

        self.answers[path] = answer
        return self.url(path)

    def hang(self, path, seconds):
        def answer(request):
            time.sleep(seconds)
            request.close_connection = True

        self.answers[path] = answer
        return self.url(path)
