"""A graph with one node that streams, in a folder as `langgraph new` makes one: `langgraph dev` serves it."""

from __future__ import annotations

import os
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph

from tests.peers.agents.speaker import Speaker

MODEL = Speaker(log=os.environ["PEER_LOG"])


async def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await MODEL.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()
