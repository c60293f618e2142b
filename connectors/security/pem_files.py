"""PEM files that a target names. Whatever is wrong with one has one message: it must not tell which files exist."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bounds.files import FileError, read_ordinary
from connectors.errors import ConnectFailed

MOST_BYTES: Final = 4 * 1024 * 1024
"""A system's bundle of certificates has a quarter of a megabyte."""


def read_pem(field: str, path: str) -> bytes:
    """Raises ConnectFailed."""
    try:
        data = read_ordinary(path, MOST_BYTES)
    except FileError as exc:
        raise unusable(field, path) from exc
    if b"-----BEGIN " not in data:
        raise unusable(field, path)
    return data


@contextmanager
def pem_path(field: str, path: str) -> Iterator[str]:
    """A path with the content that `path` had when it was judged, for a library that reads files itself."""
    data = read_pem(field, path)
    fd = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.pwrite(fd, data, 0)
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def unusable(field: str, path: str) -> ConnectFailed:
    """The error of a file, whatever is wrong with it."""
    most = MOST_BYTES // 1024 // 1024
    advice = f"give an ordinary file of at most {most} MB that this machine can read: {_CONTENT[field]} in PEM form"
    return ConnectFailed("tls_failed", f"tls.{field} {path}: cannot be used", advice)


_CONTENT: Final = {
    "ca_file": "certificates",
    "cert_file": "our certificate, and its key unless tls.key_file has it",
    "key_file": "the key of tls.cert_file, without a password",
}
