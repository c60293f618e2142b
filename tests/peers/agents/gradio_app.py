"""A chat as Gradio's documentation writes one.

GRADIO_SERVER_PORT=N PEER_LOG=file python -m tests.peers.agents.gradio_app
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import gradio as gr

from tests.peers.common import pieces, sent


def answer(message: str, history: list[dict[str, Any]]) -> Iterator[str]:
    if message == "fail":
        raise gr.Error("the model is asleep")
    drawn = pieces(len(history) // 2 + 1)
    said = [entry["content"] for entry in history]
    sent(os.environ["PEER_LOG"], message=message, text="".join(drawn), history=said)
    for end in range(1, len(drawn) + 1):
        yield "".join(drawn[:end])


if __name__ == "__main__":
    gr.ChatInterface(answer, concurrency_limit=None).launch(quiet=True, show_error=True)
