"""The command line: `python -m mock_chatbot --help`."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import mock_chatbot
from mock_chatbot.app import create_app
from mock_chatbot.core.chatbot import Chatbot
from mock_chatbot.core.concurrency import ConcurrencyLimit
from mock_chatbot.core.errors import InvalidOption
from mock_chatbot.core.options import OPTIONS, Options, parse
from mock_chatbot.faces.nuc import NucSettings
from mock_chatbot.server import Beside, listen, serve

NUC = NucSettings()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mock_chatbot: {message}\n")


@dataclass(frozen=True)
class Arguments:
    host: str
    port: int
    grpc_port: int
    socketio: bool
    api_key: str
    concurrency: int | None
    access_log: bool
    nuc_settings: NucSettings
    options: Options


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Raises SystemExit(2) after one line on stderr."""
    parser = _Parser(
        prog="python -m mock_chatbot",
        description=mock_chatbot.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_server_arguments(parser)
    _add_chatbot_arguments(parser)
    found = vars(parser.parse_args(argv))
    options = Options(**{name: found.pop(name) for name in OPTIONS})
    nuc_settings = NucSettings(found.pop("nuc_passphrase"), found.pop("nuc_token_ttl_s"))
    return Arguments(nuc_settings=nuc_settings, options=options, **found)


def _add_server_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8100, help="port to listen on; 0: any free port (default: %(default)s)"
    )
    parser.add_argument(
        "--grpc-port",
        type=_grpc_port,
        default=0,
        help="port for gRPC; 0: any free port, -1: no gRPC (default: %(default)s)",
    )
    parser.add_argument(
        "--socketio", action="store_true", help="load the Socket.IO library at the start, not at the first connection"
    )
    parser.add_argument("--api-key", default="", help="require this API key; answer other requests with 401")
    parser.add_argument(
        "--concurrency",
        type=_positive,
        metavar="K",
        help="maximum number of answers in progress (default: no limit)",
    )
    parser.add_argument("--access-log", action="store_true", help="log each request to stderr")


def _add_chatbot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nuc-passphrase", default=NUC.passphrase, help="passphrase of the NUC dialect (default: %(default)s)"
    )
    parser.add_argument(
        "--nuc-token-ttl-s",
        type=_seconds,
        default=NUC.token_ttl_s,
        help="lifetime of a NUC token (default: %(default)s)",
    )
    for name, option in OPTIONS.items():
        flag, text = "--" + name.replace("_", "-"), f"{option.help} (default: {option.default or 'none'})"
        parser.add_argument(flag, type=_reader(name), default=option.default, help=text)


def _reader(name: str) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return parse(name, text, name)
        except InvalidOption as exc:
            raise argparse.ArgumentTypeError(exc.message) from exc

    return read


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, not {text!r}")
    return int(text)


def _grpc_port(text: str) -> int:
    return -1 if text == "-1" else _port(text)


def _positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return float(text)


def main(argv: Sequence[str]) -> int:
    arguments = parse_arguments(argv)
    try:
        sock = listen(arguments.host, arguments.port)
    except OSError as exc:
        place = f"{arguments.host}:{arguments.port}"
        sys.stderr.write(f"mock_chatbot: cannot listen on {place}: {os.strerror(exc.errno or 0)}\n")
        return 1
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, without a traceback
    if arguments.socketio:
        from mock_chatbot.faces import socketio_face  # noqa: F401 - for the time it takes
    concurrency = None if arguments.concurrency is None else ConcurrencyLimit(arguments.concurrency)
    chatbot = Chatbot(arguments.options, concurrency)
    app = create_app(chatbot, arguments.api_key, arguments.nuc_settings)
    beside = None if arguments.grpc_port < 0 else _grpc_face(chatbot, arguments)
    serve(app, sock, beside, access_log=arguments.access_log)
    return 0


def _grpc_face(chatbot: Chatbot, arguments: Arguments) -> Beside:
    host, port = arguments.host, arguments.grpc_port
    running: list[object] = []  # the library stops a server without references

    async def start() -> dict[str, Any]:
        from mock_chatbot.grpc import face

        try:
            server, bound = await face.start(chatbot, arguments.api_key, host, port)
        except RuntimeError:
            sys.stderr.write(f"mock_chatbot: cannot listen on {host}:{port} for gRPC\n")
            raise SystemExit(1) from None
        running.append(server)
        place = f"[{host}]" if ":" in host else host
        return {"grpc_port": bound, "grpc_url": f"grpc://{place}:{bound}"}

    return start


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
