"""The shape of a run's report, version REPORT_VERSION, as types and as JSON Schema (`docs/schemas/report.v1.json`).

It stands below `metrics.analysis`, which makes most parts. `metrics.report.earlier_reports` is the only place where a
stored report gets this type; one of an earlier version may lack keys that came later, so readers ask for them by `get`.
Keys may be added within a version; one that goes, or means something else, makes a new version. What each key says
stands in docs/metrics.md. The file is longer than others because it is one contract, which is read as a whole.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

REPORT_VERSION: Final = 1
Counted = dict[str, int]
TokenSource = Literal["usage", "estimate", "mixed", "none"]
Outcome = Literal["ok", "error", "timeout", "aborted", "unknown"]
Quantile = Literal["p50", "p90", "p95", "p99", "p999"]
Stat = Literal["count", "mean", "min", Quantile, "max"]
TimeOfTurn = Literal["ttft_ms", "e2e_ms"]
SessionWord = Literal["started", "completed", "failed", "truncated", "lost"]
Side = Literal["input", "output"]
CeilingName = Literal["tokens", "cost", "turns", "errors"]


class RunPart(TypedDict):
    id: int | None
    status: str
    end_code: str | None
    """None: an earlier version ended the run, and its reason does not say how."""
    reason: str
    target: str
    scenario: str
    load: dict[str, Any]
    started_at: str | None
    duration_s: float
    load_s: float


class LoadChange(TypedDict):
    at_s: float
    level: float
    by: str


class Sessions(TypedDict):
    started: int
    completed: int
    failed: int
    lost: int
    truncated: int
    cut: int
    """The earlier name of `truncated`."""


class Turns(TypedDict):
    sent: int
    ok: int
    error: int
    timeout: int
    aborted: int
    unknown: int
    failed: int


class Answers(TypedDict):
    kinds: Counted
    finish_reasons: Counted
    tools: Counted
    """How often each tool was called."""


class GroupRates(TypedDict):
    """`sessions_per_min` and `conversations_per_min` are earlier names of the completed and the ended sessions."""

    turns_per_s: float | None
    completed_sessions_per_min: float | None
    ended_sessions_per_min: float | None
    sessions_per_min: float | None
    conversations_per_min: float | None
    output_tokens_per_s: float | None
    tokens_per_s: float | None


class Rates(GroupRates):
    error_rate: float | None


class Tokens(TypedDict):
    input: int | None
    output: int | None
    output_ok: int | None
    total: int | None
    reasoning: int | None
    source: TokenSource
    input_source: TokenSource
    output_source: TokenSource


class Traffic(TypedDict):
    chunks: int
    bytes_in: int
    bytes_out: int
    bytes_in_per_s: float | None
    bytes_out_per_s: float | None


class Stats(TypedDict):
    """In the metric's unit. `censored` and `high`: of a metric that counts waits which were given up."""

    count: int
    mean: float | None
    min: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None
    censored: NotRequired[int]
    high: NotRequired[dict[str, float | None]]


class DriftPart(TypedDict):
    """Medians of the first and the last third of the run's time, and the relative rise between them."""

    first_ms: float
    last_ms: float
    rise: float


class Figures(TypedDict):
    """What a threshold may refer to, of a run or of some of its groups. `active`: the mean of the open sessions of a
    level."""

    sessions: Sessions
    turns: Turns
    dropped_arrivals: int
    rates: Rates
    metrics: dict[str, Stats]
    drift: NotRequired[dict[str, DriftPart] | None]
    active: NotRequired[float]


class PartFigures(TypedDict):
    sessions: Sessions
    turns: Turns
    error_rate: float | None
    rates: GroupRates
    tokens: Tokens
    metrics: dict[str, Stats]


class GroupNames(TypedDict):
    scenario: str
    model: str
    tags: dict[str, str]


class GroupPart(GroupNames, PartFigures):
    """One scenario with one model."""


class ModelPart(PartFigures):
    model: str


class SendLag(TypedDict):
    p50: float | None
    p99: float | None
    max: float | None


class LoopLag(TypedDict):
    p99: float | None
    max: float | None


class GeneratorPart(TypedDict):
    processes: int
    cpu_s: float
    cpu_us_per_turn: float | None
    cpu_us_per_chunk: float | None
    cpu_share_max: float | None
    timestamps: str | None
    send_lag_ms: SendLag
    loop_lag_ms: LoopLag
    connections: Counted
    rss_mb: float
    start_error_ms: float | None


class ShardPart(TypedDict):
    index: int
    region: str
    host: str
    version: str
    status: str
    reason: str
    stored: bool
    turns: int | None
    end: str | None
    end_code: str
    at_s: float | None


class WitnessTurns(TypedDict):
    sent: int
    ok: int
    error: int
    timeout: int
    aborted: int
    unknown: int


class WitnessTokens(TypedDict):
    output: int


class WitnessPart(TypedDict):
    unsolicited: int
    mismatched: int
    turns: WitnessTurns
    excluded_turns: int
    uncounted_turns: int
    tokens: WitnessTokens
    errors: Counted
    metrics: dict[str, Stats]
    median_bounds: dict[str, list[float] | None]


class Used(TypedDict):
    ceiling: float
    used: float
    estimated: NotRequired[bool]


class Ceiling(Used):
    over: float


class ErrorRateLimit(TypedDict):
    above: float
    window_s: float
    turns: int


class BudgetPart(TypedDict):
    ended_by: str | None
    tokens: NotRequired[Ceiling]
    cost: NotRequired[Ceiling]
    money: NotRequired[Ceiling]
    """The earlier name of `cost`."""
    turns: NotRequired[Ceiling]
    errors: NotRequired[Ceiling]
    error_rate: NotRequired[ErrorRateLimit]


class WastedTokens(TypedDict):
    input: int
    output: int


class PatiencePart(TypedDict):
    abandoned: int
    resent: int
    hedged: int
    doubled: int
    """The earlier name of `hedged`."""
    wasted_tokens: WastedTokens


class ModelCost(TypedDict):
    model: str
    input: int
    output: int
    cost: float
    money: float
    """The earlier name of `cost`."""


class CostPart(TypedDict):
    total: float
    by_model: list[ModelCost]
    estimated: bool


class VerdictPart(TypedDict):
    """`reasons` and `notes`: `code: text` each."""

    trusted: bool
    reasons: list[str]
    notes: list[str]


class Measured(TypedDict):
    """A threshold's figure. `high`: where `value` is a lower bound, the upper one, or None if there is none."""

    expr: str
    value: float | None
    high: NotRequired[float | None]
    unanswered: NotRequired[int]


class ThresholdResult(Measured):
    passed: bool


class Series(TypedDict):
    """One entry per `point_s` seconds in every list."""

    point_s: int
    at_s: list[int]
    turns_per_s: list[float]
    failed_per_s: list[float]
    output_tokens_per_s: list[float]
    active_sessions: list[int | None]
    ttft_p50_ms: list[float | None]
    ttft_p95_ms: list[float | None]
    e2e_p50_ms: list[float | None]
    e2e_p95_ms: list[float | None]


class LevelStats(TypedDict):
    p50: float | None
    p95: float | None


class LevelRow(TypedDict):
    level: float
    from_s: int
    to_s: int
    turns: int
    error_rate: float | None
    turns_per_s: float | None
    output_tokens_per_s: float | None
    active: float | None
    ttft_ms: LevelStats
    e2e_ms: LevelStats
    dropped_arrivals: int
    overdue: int
    send_lag_p99_ms: float | None
    good: bool | None
    missed: list[str]
    notes: list[str]


class CapacityPart(TypedDict):
    level: float | None
    unit: str
    found: bool
    low: float | None
    high: float | None
    limited_by: list[str]
    conditions: list[str]
    knee: float | None
    note: str


class RunReport(TypedDict):
    """What the API returns of a run that ended under this version. Earlier names of keys stand beside their new ones
    until 1.0; a report that an earlier version stored gets the new ones when it is read. `burn --json` prints a
    selection."""

    run: RunPart
    load_changes: list[LoadChange]
    sessions: Sessions
    turns: Turns
    excluded_turns: int
    uncounted_turns: int
    """The earlier name of `excluded_turns`."""
    dropped_arrivals: int
    unsolicited: int
    errors: Counted
    session_errors: Counted
    goodbye_errors: NotRequired[Counted]
    answers: Answers
    rates: Rates
    tokens: Tokens
    traffic: Traffic
    metrics: dict[str, Stats]
    drift: dict[str, DriftPart] | None
    groups: list[GroupPart]
    models: list[ModelPart]
    generator: GeneratorPart
    shards: list[ShardPart]
    witness: WitnessPart | None
    budget: BudgetPart | None
    patience: PatiencePart | None
    cost: CostPart | None
    verdict: VerdictPart
    series: Series
    load_curve: list[LevelRow] | None
    capacity: CapacityPart | None
    thresholds: list[ThresholdResult]
