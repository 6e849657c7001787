#!/usr/bin/python3
"""An HTTP service on loopback that answers every POST of {"n": …} with {"n": … + 1}, so many
milliseconds after the request came. It prints its port, and on the end of its input what it did:
{"answers", "most_at_once", "cpu_seconds"}.

One event loop, nothing parsed but what is needed: it must never be what is waited for.
"""

import asyncio
import json
import re
import resource
import selectors
import sys

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
NUMBER = re.compile(rb'"n": *(-?\d+)')


class Service(asyncio.Protocol):
    latency_seconds = 0.02
    answers = at_once = most_at_once = 0

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
        self.loop = asyncio.get_running_loop()

    def data_received(self, data):
        self.buffer += data
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = LENGTH.search(self.buffer, 0, head_end)
        end = head_end + 4 + int(length[1])
        if len(self.buffer) < end:
            return
        number = int(NUMBER.search(self.buffer, head_end)[1])
        self.buffer = self.buffer[end:]
        Service.at_once += 1
        Service.most_at_once = max(Service.most_at_once, Service.at_once)
        self.loop.call_later(self.latency_seconds, self.answer, number)

    def answer(self, number):
        Service.at_once -= 1
        Service.answers += 1
        body = b'{"n": %d}' % (number + 1)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (len(body), body))  # fmt: skip


async def main():
    Service.latency_seconds = float(sys.argv[1]) / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"answers": Service.answers, "most_at_once": Service.most_at_once,
                      "cpu_seconds": usage.ru_utime + usage.ru_stime}))  # fmt: skip


# Not epoll: Python rounds its waits up to whole milliseconds, and 20 would be 21.
loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
loop.run_until_complete(main())
