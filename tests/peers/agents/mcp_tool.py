"""A server of mcp, revision 2025: it begins sessions, and answers in event streams with notifications before."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.session import ServerSession

from tests.peers.common import pieces, sent


def server(log: str) -> FastMCP:
    mcp = FastMCP("echo", streamable_http_path="/mcp", log_level="CRITICAL")
    turns: WeakKeyDictionary[ServerSession, int] = WeakKeyDictionary()

    @mcp.tool()
    async def ask(question: str, context: Context, tone: str = "plain") -> str:
        """Answers at random."""
        if question == "fail":
            raise RuntimeError("the model is asleep")
        count = turns[context.session] = turns.get(context.session, 0) + 1
        await context.report_progress(1, 2, "What is done meanwhile is no part of the answer.")
        await context.info("Nor is this.")
        text = "".join(pieces(count))
        sent(log, message=question, text=text)
        return text

    return mcp
