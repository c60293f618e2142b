"""`python -m tests.support.servers.counting_target LOG [ADDRESS [PORT [ANSWER_S]]]`: a chatbot that notes each
request before it answers.

One line of JSON on stdout says its `url`. Each line of LOG is "<monotonic ns> <value of the header x-turn>", written
without a buffer when the request's head is whole, so that it is the target's own count whatever happens later.
Answers take ANSWER_S, or 50 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

ANSWER_S = 0.05
BODY = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "so be it"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Target:
    def __init__(self, log: Path, answer_s: float) -> None:
        self._answer_s = answer_s
        self._fd = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                if "x-turn" in fields:  # a probe of reachability is no turn
                    os.write(self._fd, f"{time.monotonic_ns()} {fields['x-turn']}\n".encode())
                await reader.readexactly(int(fields.get("content-length", 0)))
                await asyncio.sleep(self._answer_s)
                writer.write(HEAD + BODY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    answer_s = float(sys.argv[4]) if len(sys.argv) > 4 else ANSWER_S
    server = await asyncio.start_server(Target(Path(sys.argv[1]), answer_s).serve, address, port, backlog=512)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://{address}:{port}/v1"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
