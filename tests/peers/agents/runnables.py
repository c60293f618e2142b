"""A chat model of LangChain behind LangServe, as its documentation adds one to an app."""

from __future__ import annotations

from fastapi import FastAPI
from langserve import add_routes
from starlette.routing import BaseRoute, Mount

from tests.peers.agents.speaker import Speaker


def routes(log: str) -> list[BaseRoute]:
    app = FastAPI()
    add_routes(app, Speaker(log=log), path="/chat")
    return [Mount("/langserve", app)]
