"""The library, told to be silent before it is loaded: its core would write lines of its own to stderr."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

__all__ = ["grpc"]
