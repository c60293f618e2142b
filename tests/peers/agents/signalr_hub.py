"""A chatbot behind aiosignalr: python -m tests.peers.agents.signalr_hub LOG (requirements-peers.txt)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator

from aiosignalr.server import Hub, ServerOptions, SignalRServer

from tests.peers.common import pieces, sent

COUNTS: Counter[str] = Counter()
"""Messages by connection."""


class ChatHub(Hub):
    def _answer(self, message: str) -> list[str]:
        if message == "fail":
            raise RuntimeError("the model is asleep")
        COUNTS[self.context.connection_id] += 1
        answer = pieces(COUNTS[self.context.connection_id])
        sent(sys.argv[1], message=message, text="".join(answer))
        return answer

    async def ask(self, message: str) -> str:
        return "".join(self._answer(message))

    async def recite(self, message: str) -> AsyncIterator[str]:
        for piece in self._answer(message):
            yield piece
            await asyncio.sleep(0)


async def main() -> None:
    server = SignalRServer(ChatHub, options=ServerOptions(enable_detailed_errors=True))
    _, port = await server.serve(path="/hub")
    print(json.dumps({"port": port}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main())
