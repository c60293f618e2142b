"""Makes the database and the ledgers beside this file, with the code of commit 628f2d6: the last one before the modules
of `runs/` moved into packages. `tests/integration/web/test_old_data.py` shows that today's code still works on them.

    cd CHECKOUT_OF_628f2d6 && python .../tests/old_data/make.py

It burns the mock chatbot of that commit with fixed seeds, makes a target, a scenario, a plan, a schedule and a webhook
over the API, runs the plan, and kills one burn with its engine so that its ledger is left unfinished.
"""

from __future__ import annotations

import base64
import gzip
import importlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SECRET_KEY = "only-for-the-old-data-of-the-tests"
KEYS = f"old:{base64.b64encode(bytes(range(32))).decode()}"
API_KEY = "sk-old-secret"
DATABASE, LEDGERS, SAID = "tokenburn.sqlite3.gz", "ledgers.tar.gz", "said.json.gz"
MOCK = ("--port", "0", "--seed", "3", "--delay-ms", "60-200", "--itl-ms", "1", "--tokens", "4-9", "--error-rate", "0.1")
TALK = {
    "name": "old talk",
    "steps": [{"do": "say", "text": "Hello {{ session.number }}"}, {"do": "say", "text": "Bye"}],
}
PLAN_LOAD = {"kind": "closed", "users": 3, "duration_s": 2.0, "warm_up_s": 0.5, "budget": {"tokens": 100000}}
COMMON = ("--preset", "openai-chat", "--model", "mock", "--no-witness", "--seed", "7")
BURNS: dict[str, tuple[str, ...]] = {
    "completed": ("--stream", "--prompt", "Hello", "--users", "3", "--duration", "2s", "--threshold", "error_rate<90%"),
    "budget": ("--prompt", "Hello", "--rate", "40/s", "--duration", "9s", "--processes", "2", "--max-requests", "40"),
    "aborted": (
        "--prompt", "Hello", "--users", "2", "--duration", "9s", "--threshold", "e2e_ms.p95<0.001", "--abort-on-fail",
    ),
    "people": (
        "--prompt", "Hello", "--users", "3", "--conversations", "12", "--temperature", "0.5..1.0",
        "--patience", "150ms", "--impatient", "double", "--at-once", "2", "--think", "10ms",
    ),
    "missed": ("--prompt", "Hello", "--users", "2", "--conversations", "9", "--threshold", "e2e_ms.max<0.001"),
    "searched": (
        "--prompt", "Hello", "--users", "2", "--find-capacity", "error_rate<99%", "--lowest", "1", "--highest", "2",
        "--settle", "1s", "--measure", "1s",
    ),
}  # fmt: skip
"""By name; each one's exit code and report are kept."""


@contextmanager
def mock() -> Iterator[str]:
    child = subprocess.Popen([sys.executable, "-m", "mock_chatbot", *MOCK], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield str(json.loads(child.stdout.readline())["url"])
    finally:
        child.terminate()
        child.wait()


def command(url: str, *options: str) -> list[str]:
    return [sys.executable, "manage.py", "burn", "--url", url, *COMMON, *options]


def burned(url: str, options: tuple[str, ...], var: Path) -> dict[str, Any]:
    """The burn's exit code, and its report as `--json` has it."""
    result = var / "result.json"
    result.unlink(missing_ok=True)
    done = subprocess.run(command(url, *options, "--json", str(result)), stdout=subprocess.DEVNULL, check=False)
    return {"options": options, "exit": done.returncode, "json": json.loads(result.read_bytes())}


def refused(url: str, var: Path) -> dict[str, Any]:
    """Every turn is answered with 404: the engine gives up."""
    options = ("--prompt", "Hello", "--users", "4", "--duration", "9s")
    return burned(url.removesuffix("/v1") + "/nowhere", options, var)


def started(argv: list[str], ledgers: Path) -> subprocess.Popen[bytes]:
    """The burn, two seconds after its first turns."""
    before = set(ledgers.glob("run-*/*.jsonl"))
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    while not any(b'"k":"turn"' in file.read_bytes() for file in set(ledgers.glob("run-*/*.jsonl")) - before):
        time.sleep(0.1)
    time.sleep(2.0)
    return child


def interrupted(url: str, options: tuple[str, ...], var: Path) -> dict[str, Any]:
    result = var / "result.json"
    child = started(command(url, *options, "--json", str(result)), var / "ledgers")
    child.send_signal(signal.SIGINT)
    return {"options": options, "exit": child.wait(60), "json": json.loads(result.read_bytes())}


def killed(url: str, options: tuple[str, ...], ledgers: Path) -> None:
    """The command and its engine at once: the ledger's last line is missing, and so may be a part of the rows."""
    child = started(command(url, *options), ledgers)
    engines = subprocess.run(["ps", "-o", "pid=", "--ppid", str(child.pid)], capture_output=True, text=True, check=True)
    for pid in [*map(int, engines.stdout.split()), child.pid]:
        os.kill(pid, signal.SIGKILL)
    child.wait()


def over_the_api(url: str) -> None:
    """Target, scenario, plan, schedule and webhook; then the plan is run here as if by a farm."""
    client_module = importlib.import_module("django.test")
    get_model = importlib.import_module("django.apps").apps.get_model
    user = get_model("auth", "User").objects.create_superuser("ann", password="a password of old")
    get_model("authtoken", "Token").objects.create(user=user, key="0123456789abcdef0123456789abcdef01234567")
    client = client_module.Client()
    client.force_login(user)

    def post(path: str, data: dict[str, Any]) -> dict[str, Any]:
        answer = client.post(f"/api/{path}/", json.dumps(data), "application/json")
        assert answer.status_code == 201, answer.content
        made: dict[str, Any] = answer.json()
        return made

    target = post("targets", {
        "name": "old target", "url": url, "preset": "openai-chat", "stream": True, "params": {"model": "mock"},
        "secrets": {"api_key": API_KEY},
    })  # fmt: skip
    scenario = post("scenarios", {"name": TALK["name"], "description": "of old", "spec": TALK})
    plan = post("plans", {
        "name": "old plan", "target": target["id"], "scenarios": [{"scenario": scenario["id"], "weight": 1}],
        "load": PLAN_LOAD, "thresholds": ["e2e_ms.p95<60000"], "processes": 2, "witness": False, "seed": 5,
    })  # fmt: skip
    when = {"crontab": "30 2 1 1 *", "time_zone": "Europe/Berlin"}
    post("schedules", {"name": "old schedule", "plan": plan["id"], "when": when, "overlap": "queue"})
    post("webhooks", {"name": "old hook", "url": "http://127.0.0.1:9/hook", "key": "a signing key", "when": "always"})
    services = importlib.import_module("runs.services")
    local = importlib.import_module("runs.local")
    run = services.request_run(get_model("runs", "TestPlan").objects.get(pk=plan["id"]), user, local=True)
    get_model("runs", "Run").objects.filter(pk=run.pk).update(local=False)  # so that the webhook is told
    run.refresh_from_db()
    local.run_local(run)


def option_names() -> list[str]:
    """Every option that `burn` takes."""
    options = importlib.import_module("tokenburn_site.burn.options")
    parser = options.new_parser("burn")
    options.add_options(parser)
    return sorted(name for action in parser._actions for name in action.option_strings)


def api_answers() -> dict[str, Any]:
    """What the API says of everything, by path."""
    client = importlib.import_module("django.test").Client()
    client.force_login(importlib.import_module("django.contrib.auth").get_user_model().objects.get())
    found: dict[str, Any] = {}
    for kind in ("targets", "plans", "runs", "schedules", "webhooks"):
        found[f"/api/{kind}/"] = listed = client.get(f"/api/{kind}/?page_size=100").json()
        for row in listed["results"]:
            path = f"/api/{kind}/{row['id']}/"
            found[path] = client.get(path).json()
    return found


def packed(var: Path) -> None:
    copy = var / "copy.sqlite3"
    with sqlite3.connect(var / "tokenburn.sqlite3") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    with sqlite3.connect(copy) as target:
        target.execute("DELETE FROM django_session")
        target.execute("DELETE FROM scenarios_scenario WHERE builtin")  # an update brings them back
        target.commit()
        target.execute("VACUUM")
    (HERE / DATABASE).write_bytes(gzip.compress(copy.read_bytes(), mtime=0))
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path in sorted((var / "ledgers").glob("run-*/*")):
            tar.add(path, path.relative_to(var / "ledgers"))
    (HERE / LEDGERS).write_bytes(gzip.compress(data.getvalue(), mtime=0))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="old-data-") as folder, mock() as root:
        var, url = Path(folder), f"{root}/v1"
        os.environ |= {
            "TOKENBURN_VAR_DIR": folder, "TOKENBURN_ENV_FILE": "", "TOKENBURN_SECRET_KEY": SECRET_KEY,
            "TOKENBURN_KEYS": KEYS, "DJANGO_SETTINGS_MODULE": "tokenburn_site.settings", "PYTHONPATH": str(Path.cwd()),
            "REDIS_URL": "redis://127.0.0.1:9/0", "TOKENBURN_RECORD_CHARS": "40",
            "TOKENBURN_ALLOW_PRIVATE": "true", "TOKENBURN_ALLOWED_HOSTS": '["testserver"]',
        }  # fmt: skip
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], check=True)
        found = {name: burned(url, options, var) for name, options in BURNS.items()}
        found["refused"] = refused(url, var)
        found["interrupted"] = interrupted(url, ("--prompt", "Hi", "--users", "2", "--duration", "30s"), var)
        sys.path.insert(0, str(Path.cwd()))
        importlib.import_module("django").setup()
        over_the_api(url)
        killed(url, ("--prompt", "Hi", "--users", "2", "--duration", "60s"), var / "ledgers")
        packed(var)
        said = {"burns": found, "options": option_names(), "api": api_answers()}
        (HERE / SAID).write_bytes(gzip.compress(json.dumps(said, sort_keys=True).encode(), mtime=0))
        print({path.name: path.stat().st_size for path in HERE.iterdir()})


if __name__ == "__main__":
    main()
