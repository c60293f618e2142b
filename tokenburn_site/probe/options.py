"""The command line of `probe`: which chatbot, as for `burn`, and what is said."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.registry import Lane
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.options import OneLineParser, Options, all_params, check_target, target_options

USAGE = "%(prog)s (--url URL --preset NAME | --target NAME) --prompt TEXT [options]"
DESCRIPTION = """\
Say something to a chatbot and show everything that can be seen of it: the
handshake, the request, each frame with its time, and what the mapping made of
it. Nothing is recorded."""
EPILOG = """\
examples:
  probe --url http://127.0.0.1:11434 --preset ollama-chat --stream --prompt Hello
  probe --target staging --prompt "My name is Ada." --prompt "What is my name?"

secrets:
  never on the command line: {{ secret.api_key }} in a preset is taken from the
  environment variable TOKENBURN_SECRET_API_KEY, and so for every other name.
  A stored --target has its own. They are shown as ***, wherever they appear.

exit codes:
  0 every turn was answered   2 bad usage   3 a turn failed   130 interrupted"""


class ProbeOptions(NamedTuple):
    target: Options
    prompts: tuple[str, ...]
    lane: Lane
    json: bool


class ProbeParser(OneLineParser):
    command = "probe"


def new_parser(prog: str) -> ProbeParser:
    """A parser without options, for `add_options`."""
    return ProbeParser(
        prog=prog,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_options(parser: ArgumentParser) -> None:
    target_options(parser)
    said = parser.add_argument_group("the test")
    said.add_argument(
        "--prompt",
        dest="prompts",
        action="append",
        default=[],
        metavar="TEXT",
        help="what is said; repeated: the turns of one conversation",
    )
    said.add_argument(
        "--lane",
        choices=("reference", "load"),
        default="reference",
        help="which implementation carries it: the plain client (default), or that of the load",
    )
    said.add_argument("--json", action="store_true", help="the same as JSON, on stdout")


def check(given: Mapping[str, Any]) -> ProbeOptions:
    """What the parser found. Raises BadUsage where options contradict each other or one is missing."""
    check_target(given, "probe")
    prompts = tuple(given["prompts"])
    if not prompts:
        raise BadUsage("say what is said: --prompt TEXT; see probe --help")
    if not all(prompt.strip() for prompt in prompts):
        raise BadUsage("--prompt is empty: give it a text")
    target = Options(
        **{name: given[name] for name in ("url", "preset", "target", "stream", "stamp", "proxy")},
        params=all_params(given),
        overrides=given["overrides"] or {},
    )
    return ProbeOptions(target, prompts, given["lane"], given["json"])
