"""The contract of atelier.proto by grpcio, with grpcio's own reflection: python -m tests.peers.grpc_server LOG"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection

from tests.peers.common import pieces, sent

messages, services = grpc.protos_and_services("tests/peers/atelier.proto")  # looked for on sys.path


class Studio(services.StudioServicer):  # type: ignore[misc, name-defined]  # made at run time
    def Reply(self, dialogue: Any, context: grpc.ServicerContext) -> Any:
        _, answer = self._answer(dialogue, context)
        return self._spoken("".join(answer))

    def Recite(self, dialogue: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        asked, answer = self._answer(dialogue, context)
        for piece in answer:
            yield self._spoken(piece)
        counters = {"read": len(asked), "spoken": len(answer)}
        yield messages.Fragment(tally=messages.Fragment.Tally(counters=counters))

    def Parley(self, dialogues: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        for dialogue in dialogues:
            yield from self.Recite(dialogue, context)

    def _spoken(self, body: str) -> Any:
        speaker = messages.Utterance.Speaker(handle="studio", mood=messages.MOOD_KEEN)
        return messages.Fragment(spoken=messages.Utterance(speaker=speaker, body=body), mood=messages.MOOD_CALM)

    def _answer(self, dialogue: Any, context: grpc.ServicerContext) -> tuple[str, list[str]]:
        """The question and the answer's pieces. Ends the call if the request is not as the contract wants it."""
        if ("x-studio-key", "studio-key") not in [tuple(pair) for pair in context.invocation_metadata()]:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no studio key")
        if dialogue.labels["origin"] != "load-test":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "labels.origin is missing")
        last = dialogue.transcript[-1]
        if last.speaker.mood != messages.MOOD_KEEN:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nobody is keen")
        answer = pieces((len(dialogue.transcript) + 1) // 2)
        sent(sys.argv[1], message=last.body, text="".join(answer), thread=dialogue.thread_key)
        return last.body, answer


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=64))
    services.add_StudioServicer_to_server(Studio(), server)
    names = [messages.DESCRIPTOR.services_by_name["Studio"].full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    sys.stdin.read()  # our parent's end is ours
    server.stop(grace=None)


if __name__ == "__main__":
    main()
