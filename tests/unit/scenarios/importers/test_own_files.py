"""Files that a scenario's file names by their paths: only `burn` reads them, and only below the file's folder."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from attachments.attachment import MAX_BYTES
from attachments.generated import generated
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers import Source, Wanted, import_scenarios, load_scenario
from scenarios.render.walk import SayAction, compile_scenario

PNG = generated("png", 200, "a").data


def scenario(**fields: Any) -> dict[str, Any]:
    return {"name": "s", "steps": [{"do": "say", "text": "Look", "attachments": ["cat"]}], **fields}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With what must not be read beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    home = tmp_path / "home"
    (home / "photos" / "deep").mkdir(parents=True)
    (home / "photos" / "cat.png").write_bytes(PNG)
    (home / "photos" / ".hidden").write_bytes(b"x")
    (home / "inside").symlink_to(home / "photos" / "cat.png")
    (home / "outside").symlink_to(tmp_path / "secret.txt")
    (home / "up").symlink_to(tmp_path)
    (home / "loop").symlink_to(home / "loop")
    os.mkfifo(home / "pipe")
    (home / "zero").symlink_to("/dev/zero")
    (home / "empty").write_bytes(b"")
    with (home / "huge").open("wb") as huge:
        huge.truncate(1_000_000_000)
    return home


def read(folder: Path, data: dict[str, Any]) -> ScenarioSpec:
    (folder / "s.json").write_text(json.dumps(data))
    [spec] = load_scenario(str(folder / "s.json"))
    return spec


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"cat": {"path": "photos/cat.png"}}, "cat.png"),
        ({"cat": {"path": "photos/cat.png", "name": "dog.png"}}, "dog.png"),
        ({"cat": {"path": "inside", "type": "image/png"}}, "inside"),
    ],
)
def test_a_file_below_the_scenario_is_read(folder: Path, files: dict[str, Any], name: str) -> None:
    spec = read(folder, scenario(files=files))
    attachment = spec.files["cat"].variant(0)
    assert (attachment.name, attachment.type, attachment.data) == (name, "image/png", PNG)
    assert "path" not in str(spec.model_dump(mode="json"))


def test_a_folder_gives_all_its_files_by_name(folder: Path) -> None:
    step = {"do": "say", "text": "Look", "attachments": ["{{ data.p.photo }}"]}
    spec = read(folder, scenario(files="photos", steps=[step], data={"p": {"rows": [{"photo": "cat.png"}]}}))
    assert list(spec.files) == ["cat.png"]


def test_a_step_names_a_path_in_place(folder: Path) -> None:
    (folder / "{{ x }}.png").write_bytes(PNG)
    say = {"do": "say", "text": "Look", "attachments": [{"path": "photos/cat.png"}, {"path": "{{ x }}.png"}]}
    spec = read(folder, scenario(steps=[{"do": "repeat", "times": 2, "steps": [say]}, say]))
    assert list(spec.files) == ["photos/cat.png", "{{ x }}.png"], "each once"
    action = compile_scenario(spec).walk(Random(1), {"number": 0}).next_action()
    assert isinstance(action, SayAction)
    assert [(file.name, file.data) for file in action.attachments] == [("cat.png", PNG), ("{{ x }}.png", PNG)]


def test_a_path_in_place_is_no_other_file_of_the_same_name(folder: Path) -> None:
    for name in ("a", "a dog.png"):
        (folder / name).write_bytes(PNG)
    made = {"generate": "txt", "bytes": 5}
    paths = [{"path": "a"}, {"path": "a", "name": "dog.png"}, {"path": "a dog.png"}, {"path": "a"}]
    steps = [{"do": "say", "text": "Look", "attachments": ["a", *paths]}]
    action = compile_scenario(read(folder, scenario(files={"a": made}, steps=steps))).walk(Random(1), {}).next_action()
    assert isinstance(action, SayAction)
    assert [file.name for file in action.attachments] == ["generated.txt", "a", "dog.png", "a dog.png", "a"]


@pytest.mark.parametrize("files", [["a"], 5, None])
def test_files_of_another_kind_are_refused_beside_a_path_in_place(folder: Path, files: Any) -> None:
    steps = [{"do": "say", "text": "Look", "attachments": [{"path": "photos/cat.png"}]}]
    with pytest.raises(ScenarioError, match=r"s\.json: files: must be an object"):
        read(folder, scenario(files=files, steps=steps))


def test_what_stands_beside_a_path_is_checked_each_time(folder: Path) -> None:
    attached = [{"path": "photos/cat.png"}, {"path": "photos/cat.png", "variants": 7}]
    with pytest.raises(ScenarioError, match=r"variants has no effect"):
        read(folder, scenario(steps=[{"do": "say", "text": "Look", "attachments": attached}]))


def test_files_are_read_no_further_than_a_scenario_can_hold(folder: Path) -> None:
    for name in "abc":
        (folder / "photos" / f"z{name}").write_bytes(bytes(4_000_000))
    paths = {name: {"path": f"photos/z{name}"} for name in "abc"}
    for files, place in ((paths, "c"), ("photos", "zc")):
        with pytest.raises(ScenarioError, match=rf"files\.{place}: here the files have more than 10,000,000 bytes"):
            read(folder, scenario(files=files))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("../secret.txt", "`..`"),
        ("photos/../../secret.txt", "`..`"),
        ("/etc/passwd", "in the scenario's folder or below"),
        ("outside", "a link to somewhere outside"),
        ("up/secret.txt", "a link to somewhere outside"),
        ("zero", "a link to somewhere outside"),
        ("loop", "loop|cannot be read|symbolic"),
        ("pipe", "is not an ordinary file"),
        ("photos", "is not an ordinary file"),
        ("huge", f"at most {MAX_BYTES:,} bytes"),
        ("empty", "the file is empty"),
        ("none.png", "No such file"),
        ("a\x07b", "without invisible characters"),
        ("x" * 5000, "too long"),
        ("", "must be the path of a file"),
        (5, "must be the path of a file"),
    ],
)
def test_any_other_path_is_refused(folder: Path, path: Any, says: str) -> None:
    with pytest.raises(ScenarioError, match=rf"s\.json: files\.cat.*({says})"):
        read(folder, scenario(files={"cat": {"path": path}}))


def test_a_folder_elsewhere_is_refused(folder: Path) -> None:
    for given in ("..", "up", "none", "photos/cat.png"):
        with pytest.raises(ScenarioError, match="files: "):
            read(folder, scenario(files=given))


def test_whoever_uploads_a_scenario_cannot_read_files_of_the_server(folder: Path) -> None:
    for files in ({"cat": {"path": str(folder / "photos" / "cat.png")}}, {"cat": {"path": "photos/cat.png"}}, "photos"):
        upload = Source(str(folder / "s.json"), io.BytesIO(json.dumps(scenario(files=files)).encode()))
        with pytest.raises(ScenarioError, match=r"a path is read only by `burn`|files: must be an object"):
            import_scenarios(upload, Wanted())
