"""The examples for CI are run as they stand; only the chatbot's address, the paths and the length are the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
import yaml

from tests.e2e.burning import LIMIT_S, Burner, Burnt
from tests.support.processes import ROOT, Mock

EXAMPLES = ROOT / "docs" / "examples"
GITHUB, GITLAB = (yaml.safe_load((EXAMPLES / name).read_text()) for name in ("github-actions.yml", "gitlab-ci.yml"))
PYTHON = ".venv/bin/python manage.py"
SHORT = " --warm-up 300ms --duration 2s --no-witness"
SUMMARY = "summary.md"


@pytest.fixture(scope="module")
def burner(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def github_step(name: str) -> dict[str, Any]:
    (found,) = (step for step in GITHUB["jobs"]["burn"]["steps"] if step["name"] == name)
    return dict(found)


def gitlab_command() -> str:
    (found,) = (line for line in GITLAB["load-test"]["script"] if PYTHON in line)
    return str(found)


def execute(command: str, burner: Burner, folder: Path, mock: Mock) -> Burnt:
    """In an empty folder, in the shell that the job would have."""
    folder.mkdir()
    line = command.rstrip().replace(PYTHON, f"{sys.executable} {ROOT}/manage.py", 1) + SHORT
    env = burner.environment(CHATBOT_URL=f"{mock.url}/v1", GITHUB_STEP_SUMMARY=str(folder / SUMMARY))
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", line],
        cwd=folder,
        env=env | {"TOKENBURN_SECRET_API_KEY": "not-a-secret"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Burnt(done.returncode, done.stdout, done.stderr)


def cases(path: Path) -> dict[str | None, list[str]]:
    return {case.get("name"): [child.tag for child in case] for case in ElementTree.parse(path).iter("testcase")}


def test_the_github_example_passes_against_a_chatbot_that_keeps_its_thresholds(
    burner: Burner, tmp_path: Path, start_mock: Callable[..., Mock]
) -> None:
    folder = tmp_path / "job"
    mock = start_mock("--delay-ms", "1-20", "--itl-ms", "1", "--tokens", "5-20", "--error-rate", "0")
    burnt = execute(github_step("Burn")["run"], burner, folder, mock)
    assert (burnt.code, burnt.err) == (0, ""), burnt.out
    assert sorted(path.name for path in folder.iterdir()) == ["burn.html", "burn.json", "burn.xml", SUMMARY]
    assert list(cases(folder / "burn.xml").values())[:4] == [[], [], [], []]
    assert (folder / SUMMARY).read_text().startswith("## Token-Burn: all 3 thresholds met\n")
    groups = orjson.loads((folder / "burn.json").read_bytes())["groups"]
    assert {part["scenario"] for part in groups} == {"rapid-fire", "long-conversation"}
    assert os.fspath(github_step("Keep the results")["with"]["path"]).startswith("token-burn/burn.")


def test_the_gitlab_example_fails_and_ends_early_where_a_threshold_is_missed(
    burner: Burner, tmp_path: Path, start_mock: Callable[..., Mock]
) -> None:
    folder = tmp_path / "job"
    mock = start_mock("--delay-ms", "1-20", "--itl-ms", "1", "--tokens", "5-20", "--error-rate", "0")
    command = gitlab_command().replace("--abort-on-fail", "--abort-on-fail --threshold 'e2e_ms{model=mock}.max<1'")
    burnt = execute(command.rstrip() + SHORT.replace("2s", "60s") + " #", burner, folder, mock)
    assert burnt.code == 1, burnt.err
    assert burnt.line.startswith("missed, and run ")
    assert "e2e_ms{model=mock}.max<1 is " in burnt.line
    found = cases(folder / "burn.xml")
    assert found["the run comes to its end"] == ["error"]
    assert found["e2e_ms{model=mock}.max<1"] == ["failure"]
    assert (folder / "burn.md").read_text().startswith("## Token-Burn: run aborted\n")
    report = orjson.loads((folder / "burn.json").read_bytes())
    assert (report["run"]["status"], report["run"]["duration_s"] < 30) == ("aborted", True)
    assert GITLAB["load-test"]["artifacts"]["reports"]["junit"] == "token-burn/burn.xml"


def test_the_page_shows_the_files_as_they_are() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    for path in EXAMPLES.glob("*.yml"):
        assert f"```yaml\n{path.read_text()}```\n" in page
