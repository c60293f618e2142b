"""The product's settings, pointed at a directory of this test process and away from the machine's own services.

Runs before Django is set up, once in each xdist worker. Child processes inherit what is set here, so that they see
the same directory and keys; they use the product's own settings module (`tests.support.processes.child_env`).
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.services import reserve_port


def _prepare() -> None:
    # Hundreds of processes are started: without the cache each of them compiles the whole product anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    owner = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if os.environ.get("TOKENBURN_TEST_OWNER") == owner:
        return
    os.environ["TOKENBURN_TEST_OWNER"] = owner
    os.environ["TOKENBURN_VAR_DIR"] = tempfile.mkdtemp(prefix="tokenburn-test-")
    os.environ["TOKENBURN_ENV_FILE"] = ""  # no local .env affects the tests
    os.environ.setdefault("TOKENBURN_TEST_REDIS", os.environ.get("REDIS_URL", ""))
    # Decided now, since settings are read once; the `valkey` fixture starts the server when a test asks for it.
    os.environ["REDIS_URL"] = os.environ["TOKENBURN_TEST_REDIS"] or f"redis://127.0.0.1:{reserve_port()}/0"


def _product() -> dict[str, Any]:
    """Read late: the environment has to stand first."""
    from tokenburn_site import settings
    from tokenburn_site.config.private_files import keep_private

    os.umask(keep_private())  # servers of the tests may run under another account
    found = {name: value for name, value in vars(settings).items() if name.isupper()}
    database = found["DATABASES"]["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # A file, not memory: other processes and threads must see it, and WAL must be what is tested.
        database["TEST"] = {"NAME": str(Path(found["VAR_DIR"]) / "test.sqlite3")}
    return found


_prepare()
globals().update(_product())
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # logins in tests need no slow hash
WHITENOISE_AUTOREFRESH = True  # else each `Client` looks through all static files at its first request
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
