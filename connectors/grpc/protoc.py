"""The compiler of a .proto text, in a process of its own: run by path, before anything of ours is imported.

The directory that it is started in holds `target.proto`, and takes `target.binpb`. What it may use is limited before
the compiler is loaded: a text that a user gave must not cost more than that.
"""

import resource
import sys
from pathlib import Path

CPU_S = 5
MEMORY_BYTES = 1 << 30
FILE_BYTES = 16 << 20


def main() -> int:
    for what, limit in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (limit, limit))
    import grpc_tools
    from grpc_tools import protoc

    known = Path(grpc_tools.__file__).with_name("_proto")  # Google's well-known types: nothing else can be imported
    into = "--descriptor_set_out=target.binpb"
    return int(protoc.main(["protoc", "-I.", f"-I{known}", "--include_imports", into, "target.proto"]))


if __name__ == "__main__":
    sys.exit(main())
