"""Options as flags and headers, and what is said when they are wrong."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mock_chatbot.__main__ import parse_arguments
from mock_chatbot.core.errors import InvalidOption
from mock_chatbot.core.options import Options, Range
from mock_chatbot.server import listen
from tests.support.processes import ROOT

DEFAULT = Options.default()


def test_defaults_are_the_promised_ones() -> None:
    assert (DEFAULT.error_rate, DEFAULT.delay_ms) == (0.05, Range(100, 2000))
    assert DEFAULT.behaviour == "verbose" and DEFAULT.stamp == ""


def test_flags_and_headers_mean_the_same() -> None:
    pairs = {
        "behaviour": "xml",
        "error-rate": "0.25",
        "errors": "503,500",
        "delay-ms": "5-7.5",
        "itl-ms": "3",
        "tokens": "4-9",
        "reasoning": "2",
        "seed": "-12",
        "stamp": "sent_at",
    }
    by_flag = parse_arguments([f"--{name}={text}" for name, text in pairs.items()]).options
    by_header = DEFAULT.with_headers((f"x-mock-{name}".encode(), text.encode()) for name, text in pairs.items())
    assert by_flag == by_header
    assert by_flag == Options(
        "xml", 0.25, (503, 500), Range(5, 7.5), Range(3, 3), Range(4, 9), Range(2, 2), -12, "sent_at"
    )


def test_other_headers_change_nothing() -> None:
    assert DEFAULT.with_headers([(b"x-request-id", b"1"), (b"x-mock-conversation", b"anna")]) is DEFAULT


WRONG = [
    ("behaviour", "loud"),
    ("error-rate", "1.1"),
    ("error-rate", "nan"),
    ("error-rate", "often"),
    ("errors", "500,418"),
    ("errors", ""),
    ("delay-ms", "-1"),
    ("delay-ms", "9-1"),
    ("delay-ms", "1e9"),
    ("delay-ms", "99999999"),
    ("tokens", "1.5"),
    ("seed", "x"),
    ("stamp", "choices"),
    ("stamp", "response_chunk"),
    ("stamp", 'a"b'),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_header_says_which_and_what_is_right(name: str, text: str) -> None:
    with pytest.raises(InvalidOption, match=f"^x-mock-{name}: must be .*not ") as caught:
        DEFAULT.with_headers([(f"x-mock-{name}".encode(), text.encode())])
    assert caught.value.param == f"x-mock-{name}"


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_flag_is_one_line_and_exit_2(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments([f"--{name}={text}"])
    said = capsys.readouterr()
    assert caught.value.code == 2 and said.out == ""
    assert said.err.count("\n") == 1 and f"--{name}: must be" in said.err


@pytest.mark.parametrize(
    "argv",
    [
        ["--loud"],
        ["--port", "70000"],
        ["--port", "x"],
        ["--port"],
        ["stray"],
        ["--err", "1"],
        ["--nuc-token-ttl-s", "-1"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(argv)
    assert caught.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_misspelt_header_is_not_ignored() -> None:
    with pytest.raises(InvalidOption, match=r"x-mock-delay: is not one of .*delay-ms"):
        DEFAULT.with_headers([(b"x-mock-delay", b"5")])


def run_on(*flags: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """How a mock ends whose last flag is a port that is taken."""
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        argv = [sys.executable, "-m", "mock_chatbot", *flags, port]
        ended = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    return ended, port


def test_a_port_in_use_is_one_line_and_exit_1() -> None:
    ended, port = run_on("--port")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"mock_chatbot: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_grpc_port_in_use_is_exit_1_and_says_so() -> None:
    ended, port = run_on("--port", "0", "--grpc-port")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"mock_chatbot: cannot listen on 127.0.0.1:{port} for gRPC\n" in ended.stderr
