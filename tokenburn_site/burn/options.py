"""The command line of `burn`: its options, what may be combined, and one line for each misuse."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import CommandParser

from connectors.spec import preset_names
from scenarios.synthetic import Synthetic
from tokenburn_site.burn import values
from tokenburn_site.burn.errors import EXIT_USAGE, BadUsage
from tokenburn_site.burn.flags import budget, people, places, said, search, trace

STDOUT = "-"
LOAD_FLAGS = (people, budget, search, trace)
"""Parts of the load that have their options in a file of their own."""
HELP_HINT = "see burn --help"
USAGE = """\
%(prog)s (--url URL --preset NAME | --target NAME)
       (--prompt TEXT | --scenario NAME|FILE|DIR | --synthetic S)
       (--users N | --rate R | --trace FILE)
       (--duration T | --stages S | --conversations N) [options]"""
DESCRIPTION = """\
Burn a chatbot: hold many conversations with it at once, and report what its
users would have felt. Needs no server, no broker and no configuration."""
EPILOG = """\
examples:
  burn --url http://127.0.0.1:8000/v1 --preset openai-chat --stream \\
       --prompt "Tell me a story" --users 20 --duration 30s
  burn --url https://api.openai.com/v1 --preset openai-chat --model gpt-4o-mini \\
       --scenario ./conversations/ --users 50 --conversations 200 \\
       --threshold 'e2e_ms.p95<3000' --json result.json
  burn --target staging --prompt Hello --rate 20/s --duration 2m

secrets:
  never on the command line: {{ secret.api_key }} in a preset is taken from the
  environment variable TOKENBURN_SECRET_API_KEY, and so for every other name.
  A stored --target has its own.

exit codes:
  0 done   1 a threshold was missed, or the target stopped answering   2 bad usage
  3 the run failed, was aborted, or was stopped from elsewhere (manage.py stop)
  130 interrupted (Ctrl-C, SIGTERM, or its terminal was closed)"""


@dataclass(frozen=True)
class Options:
    """A command line that makes sense. Durations in seconds, rates per second."""

    url: str | None = None
    preset: str | None = None
    target: str | None = None
    stream: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    stamp: str | None = None
    proxy: str | None = None
    prompt: str | None = None
    scenarios: tuple[str, ...] = ()
    synthetic: Synthetic | None = None
    data: tuple[said.DataFile, ...] = ()
    limit: int | None = None
    trace: Path | None = None
    """Whose rows may be said, besides the times that the load has of it."""
    users: int | None = None
    rate_per_s: float | None = None
    arrivals: str = "constant"
    duration_s: float | None = None
    stages: tuple[Mapping[str, float], ...] = ()
    max_turns_per_s: float | None = None
    start_jitter_s: float = 0.0
    warm_up_s: float = 0.0
    cool_down_s: float = 0.0
    grace_s: float | None = None
    load_parts: Mapping[str, Any] = field(default_factory=dict)
    """What `LOAD_FLAGS` add to the load's data."""
    estimate: bool = False
    conversations: int | None = None
    processes: int = 1
    regions: tuple[str, ...] = ()
    workers: bool = False
    witness: bool = True
    seed: int | None = None
    thresholds: tuple[str, ...] = ()
    abort_on_fail: bool = False
    json: str | None = None
    html: str | None = None
    per_user: bool = False
    junit: str | None = None
    markdown: str | None = None

    @property
    def to_stdout(self) -> bool:
        """A result goes to stdout, and all else to stderr."""
        return STDOUT in {self.json, self.markdown}


class OneLineParser(CommandParser):
    """Says one line where argparse would print its usage first."""

    command = "burn"

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.command}: {' '.join(message.split())}; see {self.command} --help\n")


def new_parser(prog: str) -> OneLineParser:
    """A parser without options, for `add_options`."""
    return OneLineParser(
        prog=prog,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_options(parser: ArgumentParser) -> None:
    target_options(parser)
    said.add(parser)
    _load_options(parser)
    for flags in LOAD_FLAGS:
        flags.add(parser)
    places.add(parser)
    _result_options(parser)


def target_options(parser: ArgumentParser) -> None:
    target = parser.add_argument_group("the chatbot")
    target.add_argument("--url", help="base address as the vendor's own SDK takes it: http://host:8000/v1")
    target.add_argument("--preset", metavar="NAME", help=f"which API it speaks: {', '.join(preset_names())}")
    target.add_argument("--target", metavar="NAME", help="a stored target, instead of --url and --preset")
    target.add_argument("--stream", action="store_true", help="ask for the answer piece by piece")
    target.add_argument("--model", metavar="M", help="short for --param model=M")
    target.add_argument(
        "--param",
        dest="params",
        action="append",
        default=[],
        type=values.param,
        metavar="K=V",
        help="a value for the request, JSON or text; may be repeated: --param max_tokens=64",
    )
    target.add_argument(
        "--overrides",
        type=values.overrides,
        metavar="FILE",
        help="JSON laid over the preset or target, key by key: timeouts, mapping, handshake, ...",
    )
    target.add_argument(
        "--proxy", metavar="URL|env", help="reach it through this HTTP proxy; env: the one of HTTP_PROXY, HTTPS_PROXY"
    )
    target.add_argument(
        "--stamp", metavar="PATH", help="where each chunk carries its send time (monotonic ns, same host only)"
    )


def _load_options(parser: ArgumentParser) -> None:
    load = parser.add_argument_group("how hard (--users or --rate; --duration or --conversations, or both)")
    load.add_argument("--users", type=values.level, metavar="N", help="users who hold one conversation after another")
    load.add_argument(
        "--rate", type=values.level_rate, metavar="R", help="conversations that begin, whatever happens: 20/s, 300/m"
    )
    load.add_argument("--arrivals", choices=("constant", "poisson"), help="how --rate is spread; default constant")
    load.add_argument("--duration", type=values.duration, metavar="T", help="30s, 2m, 1h, 500ms")
    load.add_argument(
        "--stages",
        type=values.stages,
        metavar="S",
        help="instead of --duration: --users or --rate is where it begins, 1m:50,5m:50,30s:0 where it goes",
    )
    load.add_argument("--max-turns", type=values.rate, metavar="R", help="never more turns than this: 100/s")
    load.add_argument("--start-jitter", type=values.duration, metavar="T", help="each user begins up to so much later")
    for name, part in (("--warm-up", "first"), ("--cool-down", "last")):
        load.add_argument(
            name, type=values.duration, metavar="T", help=f"the {part} part of the load, recorded and not counted"
        )
    load.add_argument(
        "--grace",
        type=values.duration,
        metavar="T",
        help="how long answers in flight get after --duration; default 30s",
    )
    load.add_argument("--conversations", type=values.positive, metavar="N", help="end after so many")
    load.add_argument("--processes", type=values.positive, default=1, metavar="P", help="engine processes; default 1")
    load.add_argument("--workers", action="store_true", help="let Celery workers run it (start them with `up`)")
    load.add_argument(
        "--no-witness",
        dest="witness",
        action="store_false",
        help="without the one session on stock libraries that checks the figures",
    )
    load.add_argument("--seed", type=values.seed, metavar="S", help="repeat the same choices; default: a new one")


def _result_options(parser: ArgumentParser) -> None:
    results = parser.add_argument_group("results")
    results.add_argument(
        "--threshold",
        dest="thresholds",
        action="append",
        default=[],
        metavar="EXPR",
        help="exit 1 if it is missed: 'ttft_ms.p95<500', 'error_rate{model=gpt-4o}<1%%'; may be repeated",
    )
    results.add_argument(
        "--abort-on-fail", action="store_true", help="end the run as soon as a threshold is missed, and exit 1"
    )
    results.add_argument("--json", metavar="FILE|-", help="the report as JSON; -: on stdout, all else on stderr")
    results.add_argument("--per-user", action="store_true", help="a table of the users after the report")
    results.add_argument("--html", metavar="FILE", help="the report as one self-contained page")
    results.add_argument("--junit", metavar="FILE", help="run, thresholds and verdict as JUnit XML, for CI")
    results.add_argument(
        "--markdown", metavar="FILE|-", help="a short summary, as for GITHUB_STEP_SUMMARY; -: on stdout, as with --json"
    )


def check(given: Mapping[str, Any]) -> Options:
    """What the parser found, as Options. Raises BadUsage where options contradict each other or one is missing."""
    check_target(given)
    told = said.said(given)
    given = search.arranged(given)
    _check_load(given)
    _check_results(given)
    same = {"url", "preset", "target", "stream", "stamp", "proxy", "users", "conversations", "processes"}
    same |= {"workers", "witness", "seed", "json", "html", "junit", "markdown", "abort_on_fail", "estimate", "per_user"}
    return Options(
        **{name: given[name] for name in same},
        **told,
        params=all_params(given, told["synthetic"] and told["synthetic"].output),
        overrides=given["overrides"] or {},
        thresholds=tuple(given["thresholds"]),
        regions=places.regions(given),
        rate_per_s=given["rate"],
        arrivals=given["arrivals"] or "constant",
        duration_s=given["duration"],
        stages=tuple(given["stages"] or ()),
        max_turns_per_s=given["max_turns"],
        start_jitter_s=given["start_jitter"] or 0.0,
        warm_up_s=given["warm_up"] or 0.0,
        cool_down_s=given["cool_down"] or 0.0,
        grace_s=given["grace"],
        load_parts={name: part for flags in LOAD_FLAGS for name, part in flags.load_data(given).items()},
    )


def _check_results(given: Mapping[str, Any]) -> None:
    if given["abort_on_fail"] and not given["thresholds"]:
        raise BadUsage("--abort-on-fail needs something to fail: add --threshold 'error_rate<1%'")
    for name in ("json", "html", "junit", "markdown"):
        if given[name] == "":
            raise BadUsage(f"--{name} needs the name of a file")
    for name in ("html", "junit"):
        if given[name] == STDOUT:
            raise BadUsage(f"--{name} - is not possible: give a file; only --json and --markdown can go to stdout")
    if given["json"] == given["markdown"] == STDOUT:
        raise BadUsage("--json - and --markdown - would mix on stdout: give one of them a file")


def check_target(given: Mapping[str, Any], command: str = "burn") -> None:
    hint = f"see {command} --help"
    if given["target"] is not None:
        if given["url"] is not None or given["preset"] is not None:
            raise BadUsage(f"--target stands instead of --url and --preset: give one or the other; {hint}")
    elif given["url"] is None and given["preset"] is None:
        raise BadUsage(f"say what to {command}: --url URL --preset NAME, or --target NAME; {hint}")
    elif given["url"] is None:
        raise BadUsage(f"--preset needs the chatbot's address: add --url URL; {hint}")
    elif given["preset"] is None:
        raise BadUsage(f"--url needs --preset, which API it speaks: one of {', '.join(preset_names())}")


def _check_load(given: Mapping[str, Any]) -> None:
    if given["trace"] is not None:
        return  # it has times of its own, and an end
    if given["users"] is None and given["rate"] is None:
        raise BadUsage(f"say how hard: --users N or --rate 20/s, or --trace FILE; {HELP_HINT}")
    if given["users"] is not None and given["rate"] is not None:
        raise BadUsage(f"give --users or --rate, not both; {HELP_HINT}")
    if given["arrivals"] is not None and given["rate"] is None:
        raise BadUsage("--arrivals says how --rate is spread: give --rate, or leave it out")
    if not (given["users"] or given["rate"] or given["stages"]):
        raise BadUsage("nobody would come: give at least one user, or a rate above zero; 0 needs --stages")
    if given["duration"] is not None and given["stages"] is not None:
        raise BadUsage("--stages say how long the load lasts: leave --duration out")
    if given["start_jitter"] is not None and given["users"] is None:
        raise BadUsage("--start-jitter is for --users: arrivals have their own times")
    bounds = ("duration", "stages", "conversations")
    if all(given[name] is None for name in bounds) and not search.ends_by_itself(given):
        raise BadUsage(f"say when it ends: --duration 30s or --conversations N; {HELP_HINT}")


def all_params(given: Mapping[str, Any], output: int | None = None) -> dict[str, Any]:
    """--param and --model, and `output` tokens at most. Raises BadUsage for one that is given twice."""
    params: dict[str, Any] = {}
    pairs = list(given["params"])
    if given["model"] is not None:
        pairs.append(("model", given["model"]))
    if output is not None:
        pairs.append(("max_tokens", output))
    for key, value in pairs:
        if key in params:
            raise BadUsage(f"the parameter {key!r} is given twice: once is enough")
        params[key] = value
    return params
