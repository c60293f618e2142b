"""A Chainlit app as its documentation writes them: PEER_LOG=file chainlit run tests/peers/chainlit_app.py --port N

It runs in the environment of requirements-peers.txt, with the checkout on PYTHONPATH.
"""

from __future__ import annotations

import os

import chainlit as cl

from tests.peers.common import pieces, sent


@cl.on_chat_start
async def start() -> None:
    cl.user_session.set("count", 0)
    await cl.Message(content="Welcome! This greeting is part of no turn.").send()


@cl.on_message
async def answer(message: cl.Message) -> None:
    """Streamed but for every third answer, which is sent whole after a step of another kind."""
    count = cl.user_session.get("count") + 1
    cl.user_session.set("count", count)
    if message.content == "fail":
        raise RuntimeError("the model is asleep")
    drawn = pieces(count)
    sent(os.environ["PEER_LOG"], message=message.content, text="".join(drawn))
    if count % 3 == 0:
        async with cl.Step(name="look up", type="tool") as step:
            step.output = "what a tool said is no part of the answer"
        await cl.Message(content="".join(drawn)).send()
        return
    reply = cl.Message(content="")
    for piece in drawn:
        await reply.stream_token(piece)
    await (reply.send() if count % 2 else reply.update())
