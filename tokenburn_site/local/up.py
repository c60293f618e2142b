"""The services of `manage.py up`, their order, and when the site counts as up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connections

from runs.database_name import database_name
from tokenburn_site.config import celeryconf
from tokenburn_site.config.checks import refusal
from tokenburn_site.local import ports
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.first_start import ADMIN, ensure_admin, offer_mock
from tokenburn_site.local.lock import UP_LOCK, note_site, only_one
from tokenburn_site.local.migrating import one_at_a_time
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.service_supervisor import Service, ServiceSupervisor
from tokenburn_site.local.valkey import answers, find_valkey, valkey_command
from tokenburn_site.web import health

START_S = 90.0
VALKEY_START_S = 60.0  # a long append-only file takes a while to load
LEFTOVERS_S = 6.0  # longer than the guard of a killed `up` takes to end its services
CHECK_S = 0.1
CONTROL_SLOTS = 2
BROKER, SERVING, WORKING = 0, 1, 2
"""Stages: runs in progress stop in order while their target and the broker are still there."""


@dataclass(frozen=True)
class UpOptions:
    host: str
    port: int
    workers: int
    """Slots of the load worker: each runs one engine process."""
    mock: bool
    mock_port: int
    valkey_port: int | None
    admin_password: str | None
    region: str = ""


def default_slots() -> int:
    """One per core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_up(options: UpOptions, say: Callable[[str], None], stop: Event) -> None:
    """Start everything, keep it running until `stop`, end everything. Raises LocalServiceError with one line."""
    if unsafe := refusal(options.host):
        raise LocalServiceError("unsafe", unsafe)
    log_dir = Path(settings.VAR_DIR) / "logs"
    log_dir.mkdir(parents=True, exist_ok=True)
    lock = Path(settings.VAR_DIR) / UP_LOCK
    with only_one(lock) as was_killed, ProcessGroups() as processes:
        require_ports(options, LEFTOVERS_S if was_killed else 0.0)
        supervisor = ServiceSupervisor(processes, log_dir, say)
        try:
            password = bring_up(options, supervisor, stop)
            if not stop.is_set():
                note_site(lock, settings.SITE_URL or site_url(options))
                say(status_block(options, password, log_dir))
            while not stop.wait(CHECK_S):
                supervisor.check()
            say("stopping ...")
        finally:
            supervisor.stop()


def bring_up(options: UpOptions, supervisor: ServiceSupervisor, stop: Event) -> str | None:
    """Broker, database, then the rest; returns the password of a newly created administrator."""
    start_broker(options, supervisor)
    password = prepare_database(options)
    for service in services(options, child_environment(os.environ, options.region, site_url(options))):
        supervisor.start(service)
    deadline = time.monotonic() + START_S
    while not stop.wait(CHECK_S):
        supervisor.require()
        missing = [f"{check.name} ({check.detail})" for check in health.checks() if not check.ok]
        wanted = [options.port, *([options.mock_port] if options.mock else [])]
        missing += [f"port {port}" for port in wanted if not ports.accepts(port, dial_host(options.host))]
        if not missing:
            break
        if time.monotonic() > deadline:
            raise LocalServiceError("slow", f"not up after {START_S:g} s; missing: {', '.join(missing)}")
    connections.close_all()
    return password


def require_ports(options: UpOptions, patience_s: float) -> None:
    """Raises LocalServiceError naming the first port that is in use, and what to do."""
    wanted = [(options.host, options.port, "give another one with --port")]
    if options.mock:
        wanted.append((ports.LOOPBACK, options.mock_port, "give another one with --mock-port, or --no-mock"))
    if not settings.REDIS_GIVEN:
        hint = "give another one with --valkey-port, or set REDIS_URL to use what runs there"
        wanted.append((ports.LOOPBACK, broker_port(options), hint))
    deadline = time.monotonic() + patience_s
    for host, port, hint in wanted:
        while not ports.is_free(port, host):
            if time.monotonic() >= deadline:
                raise LocalServiceError("port_in_use", f"port {port} on {host} is in use: {hint}")
            time.sleep(CHECK_S)


def broker_port(options: UpOptions) -> int:
    return options.valkey_port or urlsplit(settings.REDIS_URL).port or 6379


def start_broker(options: UpOptions, supervisor: ServiceSupervisor) -> None:
    """Our own Valkey, or the server that REDIS_URL names."""
    if settings.REDIS_GIVEN:
        if not answers(settings.REDIS_URL):
            raise LocalServiceError("broker_away", "no broker answers at REDIS_URL: start it, or unset REDIS_URL")
        return
    port = broker_port(options)
    settings.REDIS_URL = f"redis://{ports.LOOPBACK}:{port}/0"
    directory = Path(settings.VAR_DIR) / "valkey"
    directory.mkdir(exist_ok=True)
    supervisor.start(Service("valkey", valkey_command(find_valkey(), port, directory), os.environ, BROKER))
    try:
        ports.wait_until(
            lambda: answers(settings.REDIS_URL), "Valkey", VALKEY_START_S, lambda: supervisor.running("valkey")
        )
    except LocalServiceError:
        supervisor.require()  # if it ended, the last line of its log says more
        raise


def prepare_database(options: UpOptions) -> str | None:
    """Migrate, and create the initial content; returns the administrator's password if one was generated."""
    try:
        with one_at_a_time():
            call_command("migrate", verbosity=0, interactive=False)
        if options.mock:
            offer_mock(mock_url(options))
        return ensure_admin(options.admin_password)
    except DatabaseError as exc:
        text = str(exc).strip().splitlines()
        why = text[0] if text else repr(exc)
        raise LocalServiceError("database_away", f"the {database_name()} refuses: {why}") from exc


def child_environment(environ: Mapping[str, str], region: str = "", site: str = "") -> dict[str, str]:
    """The environment of every service: this process's settings, wherever it was started."""
    path = os.pathsep.join(filter(None, [str(settings.BASE_DIR), environ.get("PYTHONPATH", "")]))
    return {
        **{name: value for name, value in environ.items() if name != "TOKENBURN_ADMIN_PASSWORD"},
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "tokenburn_site.settings",
        "TOKENBURN_VAR_DIR": str(settings.VAR_DIR),
        "REDIS_URL": settings.REDIS_URL,
        "TOKENBURN_SITE_URL": settings.SITE_URL or site,
        **({"TOKENBURN_REGION": region} if region else {}),
    }


def services(options: UpOptions, env: Mapping[str, str]) -> list[Service]:
    python = (sys.executable, "-m")
    celery = (*python, "celery", "-A", "tokenburn_site")
    # Without gossip and mingle: workers do not need to know each other, and both make a start slower.
    worker = (*celery, "worker", "--pool", "prefork", "--without-gossip", "--without-mingle")
    load = (*worker, "-Q", celeryconf.LOAD, "-c", str(options.workers), "-n", f"load.{os.getpid()}@%h")
    control = (*worker, "-Q", celeryconf.CONTROL, "-c", str(CONTROL_SLOTS), "-n", f"control.{os.getpid()}@%h")
    daphne = (*python, "daphne", "-b", options.host, "-p", str(options.port), "tokenburn_site.asgi:application")
    found = [
        Service("web", daphne, env, SERVING),
        Service("control", control, env, WORKING),
        Service("load", load, env, WORKING),
        Service("beat", (*celery, "beat", "--pidfile", ""), env, WORKING),
    ]
    if options.mock:
        mock = (*python, "mock_chatbot", "--host", ports.LOOPBACK, "--port", str(options.mock_port))
        found.insert(0, Service("mock", mock, env, SERVING))
    return found


def mock_url(options: UpOptions) -> str:
    return f"http://{ports.LOOPBACK}:{options.mock_port}/v1"


def site_url(options: UpOptions) -> str:
    return f"http://{dial_host(options.host)}:{options.port}"


def dial_host(host: str) -> str:
    """The address under which a server that listens on `host` is reached from this machine."""
    return ports.LOOPBACK if host in {"0.0.0.0", "::", ""} else host  # noqa: S104  compared, not bound


def status_block(options: UpOptions, password: str | None, log_dir: Path) -> str:
    site = site_url(options)
    login = (
        f"user {ADMIN}, password {password} (shown once)"
        if password
        else f"log in as {ADMIN} with the existing password"
    )
    rows = [
        ("Admin", f"{site}/admin/   {login}"),
        ("API", f"{site}/api/docs/"),
        ("Health", f"{site}/api/health/"),
        ("Workers", f"load: {options.workers} slots, control: {CONTROL_SLOTS}, beat"),
    ]
    if options.mock:
        mock = mock_url(options)
        burn = f"python manage.py burn --url {mock} --preset openai-chat --prompt Hello --users 20 --duration 15s"
        rows += [("Mock", f"{mock}   (preset openai-chat)"), ("Try", burn)]
    if not settings.REDIS_GIVEN and options.valkey_port:
        rows.append(("Broker", f"REDIS_URL={settings.REDIS_URL}   for commands in other terminals"))
    if not settings.KEYRING_GIVEN:
        rows.append(("Keys", f"generated in {settings.VAR_DIR}/ for development: set TOKENBURN_KEYS in production"))
    rows.append(("Logs", f"{log_dir}/"))
    lines = [f"  {name:<8} {text}" for name, text in rows]
    return "\n".join(["Token-Burn is up. Ctrl-C stops everything.", *lines])
