"""From the text of a .proto file to descriptors, compiled in a limited process (`connectors.grpc.protoc`)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

from connectors.errors import BadRequest
from connectors.grpc.methods import Files
from connectors.spec import SpecError

COMPILER: Final = Path(__file__).with_name("protoc.py")
LIMIT_S: Final = 10.0
MOST_CHARS: Final = 1024 * 1024
MOST_PROBLEMS: Final = 3


@lru_cache(maxsize=16)
def compile_proto(text: str) -> Files:
    """Descriptors of `text` and of Google's well-known types that it imports; nothing else can be imported. Blocks for
    up to `LIMIT_S`. Raises SpecError naming the wrong line."""
    if len(text) > MOST_CHARS:
        raise SpecError(f"grpc.proto: longer than {MOST_CHARS} characters")
    with tempfile.TemporaryDirectory(prefix="token-burn-proto-") as folder:
        try:
            Path(folder, "target.proto").write_text(text, encoding="utf-8")
        except UnicodeEncodeError as exc:
            raise SpecError(f"grpc.proto: not Unicode: {exc.reason} at character {exc.start}") from exc
        _run(folder)
        data = Path(folder, "target.binpb").read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(data).file
    return {file.name: file.SerializeToString() for file in files}


def _run(folder: str) -> None:
    argv = [sys.executable, "-I", str(COMPILER)]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT_S,
            cwd=folder,
            env={"PATH": os.defpath},  # nothing of ours: no secrets and no settings
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise SpecError(f"grpc.proto: the compiler did not end within {LIMIT_S:g} s") from exc
    if done.returncode:
        raise SpecError(f"grpc.proto: {_problems(done.stderr)}")


def _problems(said: bytes) -> str:
    """The first of the compiler's lines `target.proto:3:12: what`, as `line 3: what`."""
    found = []
    for line in said.decode(errors="replace").splitlines():
        name, _, rest = line.partition(":")
        number, _, what = rest.partition(":")
        if name != "target.proto":
            continue
        column, _, after = what.partition(":")
        what = after if column.isdigit() else what
        found.append(f"line {number}: {what.strip()}" if number.isdigit() else rest.strip())
    return "; ".join(found[:MOST_PROBLEMS]) or "the compiler failed: it is too large, or nested too deeply"


def proto_files(text: str) -> Files:
    """As `compile_proto`, for a turn: raises BadRequest."""
    try:
        return compile_proto(text)
    except SpecError as exc:
        raise BadRequest("request_invalid", str(exc), "correct the target's .proto") from exc
