"""A model service on 127.0.0.1 that speaks as OpenAI's does, the same answer every time.

    service = ModelService.start(self)       # stopped when the test ends
    service.url                              # base_url: http://127.0.0.1:PORT/v1
    service.calls("/v1/chat/completions")    # requests so far; texts of embeddings: service.texts
    service.tokens_in, service.tokens_out   # that it has told of
    service.fail(status=429, times=2, headers={"Retry-After": "1"})    # the next two requests
    service.fail(how="half" | "close" | "garbage" | "hang" | "empty")
    service.delay_seconds = 0.02

Chat answers with the user's text turned around, and says how many files came with it; with a JSON
schema, an object with a value for each of its properties. Embeddings are made of the text's digest.
`POST /v1/score` takes {"text": …} and gives {"result": {"length": …, "words": […]}}.

From outside: `?fault=500` in a URL or a header `X-Fault: half` spoils that request. As a program,
`model_service.py [PORT]` prints its base URL and serves until it is stopped; GET /calls gives the counts.
"""

import collections
import hashlib
import http.server
import json
import sys
import threading
import time
import urllib.parse

FAULTS = ("half", "close", "garbage", "hang", "empty")


def content_of(message):
    """The text of a message, and how many files are in it."""
    content = message["content"]
    if isinstance(content, str):
        return content, 0
    texts = [part["text"] for part in content if part["type"] == "text"]
    return " ".join(texts), len(content) - len(texts)


def filled(schema, text):
    """A value that a JSON schema allows."""
    if "enum" in schema:
        return schema["enum"][len(text) % len(schema["enum"])]
    kind = schema.get("type")
    if kind == "object":
        return {name: filled(each, text) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {}), text)]
    return {"integer": len(text), "number": len(text) / 2, "boolean": True}.get(kind, text)


def vector_of(text, dimensions):
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % 32] - 128) / 128 for i in range(dimensions)]


def tokens_of(text):
    return max(1, len(text) // 4)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.give(200, dict(self.server.service.counts))

    def do_POST(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(parts.query)
        with service.lock:
            service.counts[parts.path] += 1
            service.running += 1
            service.most_at_once = max(service.most_at_once, service.running)
            fault = service.faults.popleft() if service.faults else None
        try:
            asked = self.headers.get("X-Fault") or query.get("fault", [None])[0]
            if asked:
                fault = {"how": asked} if asked in FAULTS else {"status": int(asked)}
            if fault:
                return self.spoil(**fault)
            time.sleep(service.delay_seconds)
            self.answer(parts.path, json.loads(body))
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            with service.lock:
                service.running -= 1

    def answer(self, path, request):
        service = self.server.service
        if service.key and self.headers.get("Authorization") != f"Bearer {service.key}":
            sent = self.headers.get("Authorization", "none")
            return self.give(401, {"error": {"message": f"Incorrect API key provided: {sent}"}})
        known = {"/v1/chat/completions": self.chat, "/v1/embeddings": self.embeddings,
                 "/v1/score": self.score}  # fmt: skip
        if path not in known:
            return self.give(404, {"error": {"message": f"there is no {path}"}})
        known[path](request)

    def chat(self, request):
        text, files = content_of(request["messages"][-1])
        reply = text[::-1] + (f" ({files} files)" if files else "")
        wanted = request.get("response_format", {})
        if wanted.get("type") == "json_schema":
            reply = json.dumps(filled(wanted["json_schema"]["schema"], text))
        with self.server.service.lock:
            self.server.service.requests.append(request)
        sent, got = tokens_of(text), tokens_of(reply)
        self.server.service.charge(sent, got)
        self.give(200, {
            "id": "chatcmpl-1", "object": "chat.completion", "model": request["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": reply, "refusal": None}}],
            "usage": {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got},
        })  # fmt: skip

    def embeddings(self, request):
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        service = self.server.service
        if len(texts) > service.most_texts:
            return self.give(413, {"error": {"message": f"at most {service.most_texts} texts"}})
        with service.lock:
            service.texts += len(texts)
        dimensions = request.get("dimensions", 8)
        data = [{"object": "embedding", "index": i, "embedding": vector_of(text, dimensions)}
                for i, text in enumerate(texts)]  # fmt: skip
        used = sum(tokens_of(text) for text in texts)
        service.charge(used, 0)
        self.give(200, {"object": "list", "data": data, "model": request["model"],
                        "usage": {"prompt_tokens": used, "total_tokens": used}})  # fmt: skip

    def score(self, request):
        text = str(request.get("text", ""))
        self.give(200, {"result": {"length": len(text), "words": text.split()}})

    def spoil(self, status=None, how=None, headers=None):
        if status:
            return self.give(status, {"error": {"message": f"spoiled: {status}"}}, headers)
        if how == "hang":
            time.sleep(self.server.service.hang_seconds)
        self.close_connection = True
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        size = {"half": 1000, "garbage": 12, "empty": 0}.get(how)
        if size is not None:
            text = {"half": '{"choices":', "garbage": "<html>oops!!", "empty": ""}[how]
            self.wfile.write(f"{head}Content-Length: {size}\r\n\r\n{text}".encode())

    def give(self, status, value, headers=None):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in {**self.server.service.headers, **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        pass  # whoever asked was killed


class ModelService:
    def __init__(self, port=0):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = collections.deque()
        self.requests = []
        self.headers = {}
        self.tokens_in = self.tokens_out = 0
        self.texts = self.running = self.most_at_once = 0
        self.most_texts = 2048
        self.delay_seconds = 0
        self.hang_seconds = 30
        self.key = None
        self.server = _Server(("127.0.0.1", port), _Handler)
        self.server.service = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @classmethod
    def start(cls, test):
        service = cls()
        threading.Thread(target=service.server.serve_forever, args=(0.05,), daemon=True).start()
        cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
        cleanup(service.stop)
        return service

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def fail(self, status=None, how=None, headers=None, times=1):
        with self.lock:
            for _ in range(times):
                self.faults.append({"status": status, "how": how, "headers": headers})

    def charge(self, sent, got):
        """Tokens of an answer that is given."""
        with self.lock:
            self.tokens_in += sent
            self.tokens_out += got

    def calls(self, path="/v1/chat/completions"):
        with self.lock:
            return self.counts[path]


if __name__ == "__main__":
    _service = ModelService(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(_service.url, flush=True)
    try:
        _service.server.serve_forever()
    except KeyboardInterrupt:
        pass
