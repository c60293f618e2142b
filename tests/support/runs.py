"""Runs for tests: requested through the product's own services, against whatever address a test gives."""

from __future__ import annotations

from typing import Any

from connectors.spec import TargetSpec, build_target_spec
from runs.engine.spec import ClosedLoad, OpenLoad
from runs.models import Run, Shard
from runs.services import request_adhoc_run

SECRET = "sk-very-secret-value"


def target(url: str = "http://127.0.0.1:9/v1", **more: Any) -> TargetSpec:
    return build_target_spec(
        name="mock", url=url, preset="openai-chat", params={"model": "mock"}, **{"secrets": {"api_key": SECRET}, **more}
    )


def talk(*texts: str, name: str = "talk") -> dict[str, Any]:
    return {"name": name, "steps": [{"do": "say", "text": text} for text in texts or ("hello",)]}


def a_run(
    processes: int = 1, load: ClosedLoad | OpenLoad | None = None, url: str = "http://127.0.0.1:9/v1", **more: Any
) -> Run:
    """A queued run. `local` unless told otherwise: no message is sent."""
    return request_adhoc_run(
        **{
            "target": target(url),
            "scenarios": [(1.0, talk())],
            "load": load or ClosedLoad(users=8, duration_s=60),
            "processes": processes,
            "seed": 7,
            "local": True,
            **more,
        }
    )


def shards(run: Run) -> list[Shard]:
    return list(Shard.objects.filter(run=run).select_related("run").order_by("index"))
