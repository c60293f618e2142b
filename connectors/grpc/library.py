"""Silences the gRPC library before it is loaded; its core would write to stderr."""

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio

__all__ = ["grpc"]
