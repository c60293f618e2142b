"""Where runs take place: a directory, a database behind a wire that can be cut, and for a farm all its processes.

Sites are kept for further runs, since bringing one up takes longer than a run; one in which anything went wrong, or
whose clock or services were spoilt on purpose, is closed instead.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from tests.chaos.clock import Clock
from tests.chaos.plan import Case
from tests.chaos.processes import Tree
from tests.chaos.waiting import Ended, NotUp, Stuck, until
from tests.support.processes import ROOT
from tests.support.servers.proxy import Proxy
from tests.support.services import reserve_port
from tokenburn_site.local.process_groups import ProcessGroups

OURS: Final = ("TOKENBURN_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
SLOTS: Final = 2
TRIES: Final = 3
UP_S, MIGRATE_S, SETTLED_S = 150.0, 150.0, 60.0


def environment(home: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return env | {"TOKENBURN_VAR_DIR": str(home), "TOKENBURN_ENV_FILE": "", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def manage(*argv: str) -> list[str]:
    return [sys.executable, "manage.py", *argv]


class Templates:
    """A migrated database of each kind, made once, of which each site gets a copy."""

    def __init__(self, root: Path, server_url: str) -> None:
        self._server_url = server_url
        self._count = 0
        self._lock = threading.Lock()
        self.sqlite = root / "template" / "db.sqlite3"
        self.sqlite.parent.mkdir()
        url = self._create("chaos_template", "template1")
        for given in (f"sqlite:///{self.sqlite}", url):
            env = environment(self.sqlite.parent) | {"DATABASE_URL": given}
            subprocess.run(
                manage("migrate", "-v", "0", "--skip-checks"), cwd=ROOT, env=env, check=True, timeout=MIGRATE_S
            )

    def copy_sqlite(self, to: Path) -> str:
        for path in self.sqlite.parent.glob("db.sqlite3*"):
            shutil.copy(path, to / path.name)
        return f"sqlite:///{to / self.sqlite.name}"

    def copy_postgres(self) -> str:
        with self._lock:
            self._count += 1
            return self._create(f"chaos_{self._count}", "chaos_template")

    def drop_postgres(self, url: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as admin:
            name = sql.Identifier(urlsplit(url).path.removeprefix("/"))
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _create(self, name: str, template: str) -> str:
        with psycopg.connect(self._server_url, autocommit=True) as admin:
            words = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(words.format(sql.Identifier(name), sql.Identifier(template)))
        return self._server_url.rsplit("/", 1)[0] + f"/{name}"


class Accounts:
    """The process that reads databases (see `account`), for one thread at a time."""

    def __init__(self, family: ProcessGroups, home: Path) -> None:
        self._lock = threading.Lock()
        self._child = family.start(
            (sys.executable, "-m", "tests.chaos.account"),
            cwd=ROOT, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, **question: Any) -> Any:
        """None as well if the database gives no answer now."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with self._lock:
            self._child.stdin.write(json.dumps(question) + "\n")
            self._child.stdin.flush()
            return json.loads(self._child.stdout.readline()).get("answer")


class Key(NamedTuple):
    database: str
    way: str
    with_clock: bool


class Site:
    """`database_url` leads past the wire. `close` must be called."""

    def __init__(self, key: Key, root: Path, templates: Templates, accounts: Accounts) -> None:
        self.key = key
        self.home = Path(tempfile.mkdtemp(prefix="site-", dir=root))
        self.env = environment(self.home)
        self.family = ProcessGroups()
        self.up: subprocess.Popen[bytes] | None = None
        self.wire: Proxy | None = None
        self.clock = Clock(self.home / "clock") if key.with_clock else None
        self._templates = templates
        self._accounts = accounts
        self._postgres_url = ""
        self._redis = f"redis://127.0.0.1:{reserve_port()}/0"
        self._port = reserve_port()
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        if self.key.database == "postgresql":
            self.database_url = self._postgres_url = self._templates.copy_postgres()
            parts = urlsplit(self.database_url)
            self.wire = Proxy(str(parts.hostname), int(parts.port or 5432))
            self.env["DATABASE_URL"] = f"postgres://{parts.username}@127.0.0.1:{self.wire.port}{parts.path}"
        else:
            self.database_url = self.env["DATABASE_URL"] = self._templates.copy_sqlite(self.home)
        if self.clock is not None:
            self.env |= self.clock.env
        if self.key.way == "farm":
            self._bring_up()

    def command(self, *argv: str) -> list[str]:
        """`manage.py ...`, under the site's clock."""
        return [*(self.clock.prefix if self.clock else ()), *manage(*argv)]

    def bring_up_again(self) -> None:
        """After `up` was killed, or told to end: what a person would do. Raises Stuck."""
        up = self.up
        assert up is not None
        until(lambda: up.poll() is not None, UP_S, "the end of the site")
        self._bring_up()

    def _bring_up(self) -> None:
        """Start `up`, and wait for it. It gives up by itself on a machine that is too busy, and is tried again then.
        Raises NotUp."""
        for _ in range(TRIES - 1):
            with suppress(NotUp):
                return self._try_up()
        return self._try_up()

    def _try_up(self) -> None:
        out = self.home / "up.log"
        began = out.stat().st_size if out.exists() else 0
        port = urlsplit(self._redis).port
        env = {name: value for name, value in self.env.items() if name != "REDIS_URL"}
        flags = ("--no-mock", "--workers", str(SLOTS), "--port", str(self._port), "--valkey-port", str(port))
        with out.open("ab") as log:
            self.up = child = self.family.start(self.command("up", *flags), cwd=ROOT, env=env, stdout=log, stderr=log)
        self.env["REDIS_URL"] = self._redis

        def is_up() -> bool:
            said = out.read_bytes()[began:].decode(errors="replace")
            if child.poll() is not None:
                raise NotUp(f"the site did not come up: {said[-300:].strip()}")
            return "Token-Burn is up" in said

        try:
            until(is_up, UP_S, "the site")
        except Stuck as exc:
            self.family.stop(child, timeout_s=20.0)
            raise NotUp(str(exc)) from exc

    def ask(self, **question: Any) -> Any:
        return self._accounts.ask(url=self.database_url, **question)

    def settle(self) -> None:
        """Wait until a farm is whole again: health is well, and workers that live have said so and are idle."""
        if self.up is not None:
            until(self._is_whole, SETTLED_S, "a farm that is whole again", 0.3)

    def _is_whole(self) -> bool:
        assert self.up is not None
        tree = Tree(self.up.pid, None)
        mains = {name: tree.service(name)[:1] for name in ("load", "control", "beat", "broker", "web")}
        if not all(mains.values()) or len(tree.service("load")) <= SLOTS:
            return False
        with suppress(redis.RedisError, OSError, ValueError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/health/", timeout=5) as answer:
                if answer.status != 200:
                    return False
            client = redis.Redis.from_url(self._redis, socket_timeout=2)
            said = [json.loads(client.get(name) or b"{}") for name in client.scan_iter("tokenburn:*:worker:*")]
            client.close()
            idle = {worker.get("pid") for worker in said if not worker.get("busy")}
            return idle >= {*mains["load"], *mains["control"]} and len(said) == 2
        return False

    def close(self) -> None:
        """End everything that the site has started."""
        self.family.close(timeout_s=20.0)
        if self.wire is not None:
            self.wire.__exit__(None, None, None)
        if self._postgres_url:
            with suppress(psycopg.Error):
                self._templates.drop_postgres(self._postgres_url)
        shutil.rmtree(self.home, ignore_errors=True)


class Sites:
    """Sites that are up and free, by what they are."""

    def __init__(self, root: Path, templates: Templates, accounts: Accounts) -> None:
        self._root = root
        self._templates = templates
        self._accounts = accounts
        self._free: dict[Key, list[Site]] = {}
        self._lock = threading.Lock()
        self.unrecovered: list[str] = []
        """Farms that were not whole again after a run, by what was done to them last."""

    def take(self, case: Case) -> Site:
        """One that is whole. Raises Stuck."""
        key = Key(case.database, case.way, case.with_clock)
        while (site := self._pop(key)) is not None:
            try:
                site.settle()
            except Stuck:
                self.unrecovered.append(f"before {case}")
                site.close()
            except Ended:
                site.close()
                raise
            else:
                return site
        made = Site(key, self._root, self._templates, self._accounts)
        try:
            made.settle()
        except BaseException:
            made.close()
            raise
        return made

    def give_back(self, site: Site) -> None:
        with self._lock:
            self._free.setdefault(site.key, []).append(site)

    def _pop(self, key: Key) -> Site | None:
        with self._lock:
            free = self._free.get(key)
            return free.pop() if free else None

    def close(self) -> None:
        for sites in self._free.values():
            for site in sites:
                site.close()
