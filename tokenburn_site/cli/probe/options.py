"""The command line of `probe`: the chatbot, as for `burn`, and the messages."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping
from typing import Any, NamedTuple

from attachments.attachment import Attachment
from connectors.registry import Lane
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.options.parser import OneLineParser
from tokenburn_site.cli.options.scenarios import attached_file
from tokenburn_site.cli.options.target import TargetOptions, all_params, check_target, with_target_file

USAGE = """\
%(prog)s (--url URL --preset NAME | --target NAME | --target-file FILE)
             --prompt TEXT [options]
       %(prog)s --presets [--preset NAME]
       %(prog)s --learn FILE|- [--message TEXT] [--write FILE] [--try]"""
DESCRIPTION = """\
Send a message to a chatbot and show the exchange in full detail: the
handshake, the request, each frame with its time, and what the mapping found
in it. Nothing is recorded."""
EPILOG = """\
examples:
  probe --url http://127.0.0.1:11434 --preset ollama-chat --stream --prompt Hello
  probe --target staging --prompt "My name is Ada." --prompt "What is my name?"
  probe --learn chat.har --write bot.json --try
  probe --target-file bot.json --prompt Hello

secrets:
  never on the command line: {{ secret.api_key }} in a preset is read from the
  environment variable TOKENBURN_SECRET_API_KEY, and so on for every name.
  A stored --target has its own. Secrets are shown as ***.

exit codes:
  0 every turn was answered   2 bad usage   130 interrupted
  3 a turn failed, or --learn could not find all that a target needs"""


class ProbeOptions(NamedTuple):
    target: Options
    prompts: tuple[str, ...]
    lane: Lane
    json: bool
    attached: tuple[Attachment, ...] = ()


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
    TargetOptions.add(parser)
    group = parser.add_argument_group("the test")
    group.add_argument(
        "--prompt",
        dest="prompts",
        action="append",
        default=[],
        metavar="TEXT",
        help="message to send; repeat it for further turns of the conversation",
    )
    group.add_argument(
        "--attach",
        action="append",
        default=[],
        type=attached_file,
        metavar="FILE|png:BYTES",
        help="image, sound or file that goes with the first message, or a generated one of so many bytes; repeatable",
    )
    group.add_argument(
        "--lane",
        choices=("reference", "load"),
        default="reference",
        help="implementation to use: the usual client library (default) or the one of load tests",
    )
    _add_learning(parser)
    group.add_argument("--json", action="store_true", help="print JSON on stdout")
    group.add_argument(
        "--presets",
        action="store_true",
        help="send nothing: list the presets with base address, secrets and params; with --preset, that one",
    )


def _add_learning(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("learning a target")
    group.add_argument(
        "--learn",
        action="append",
        default=[],
        metavar="FILE|-",
        help="propose a target from a curl line, a HAR file, an OpenAPI document or a recorded answer, and send "
        "nothing; repeat it for a request and its answer in two files",
    )
    group.add_argument("--message", metavar="TEXT", help="what the user said in it, if that is not found")
    group.add_argument("--write", metavar="FILE", help="write the target to this file, for --target-file and the API")
    group.add_argument(
        "--try",
        dest="try_it",
        action="store_true",
        help="send the recorded message, or --prompt, to the proposed target",
    )


def check_learning(given: Mapping[str, Any]) -> None:
    """Raises BadUsage for options that --learn replaces."""
    for name in ("preset", "target", "target_file", "overrides", "stamp"):
        if given[name]:
            raise BadUsage(f"--learn finds the target: leave --{name.replace('_', '-')} out")


def check(given: Mapping[str, Any]) -> ProbeOptions:
    """The parsed options. Raises BadUsage if options contradict each other or one is missing."""
    given = with_target_file(given)
    for name, flag in (("message", "--message"), ("write", "--write"), ("try_it", "--try")):
        if given[name]:
            raise BadUsage(f"{flag} belongs to --learn: give --learn FILE")
    check_target(given, "probe")
    prompts = tuple(given["prompts"])
    if not prompts:
        raise BadUsage("no message: give --prompt TEXT; see probe --help")
    if not all(prompt.strip() for prompt in prompts):
        raise BadUsage("--prompt is empty: give a text")
    target = Options(
        **{name: given[name] for name in ("url", "preset", "target", "stream", "stamp", "proxy")},
        params=all_params(given),
        overrides=given["overrides"] or {},
    )
    attached = tuple(file.variant(0) for file in given["attach"])
    return ProbeOptions(target, prompts, given["lane"], given["json"], attached)
