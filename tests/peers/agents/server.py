"""Agents of several libraries in one process, behind hypercorn: python -m tests.peers.agents.server LOG

It runs in the environment of requirements-peers.txt, with the checkout as the working directory. It prints its port and
ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from collections.abc import Callable

from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tests.peers.agents import a2a_agent, mcp_tool, pydantic_agents, runnables

PARTS: tuple[Callable[[str], list[BaseRoute]], ...] = (pydantic_agents.routes, a2a_agent.routes, runnables.routes)


async def main(log: str) -> None:
    config = Config()
    mcp = mcp_tool.server(log)
    logging.getLogger().handlers.clear()  # that of mcp draws each traceback for more than a second
    routes = [*mcp.streamable_http_app().routes, *(route for part in PARTS for route in part(log))]
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        config.bind = [f"fd://{listener.fileno()}"]
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        async with mcp.session_manager.run():
            await serve(Starlette(routes=routes), config, shutdown_trigger=_end_of_stdin)
        listener.detach()


async def _end_of_stdin() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
