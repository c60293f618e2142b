"""In a real browser, without a site: the report as one file, and the pages' own formatter beside Python's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from metrics import number_format
from metrics.report.html.page import report_html
from tests.support.browser import Chrome
from tests.support.data.figures import FIGURES
from tests.unit.metrics.report.html.test_page import EVIL, full_report

pytestmark = pytest.mark.browser
FORMATTER = Path(__file__).resolve().parents[3] / "runs/static/runs/number_format.js"
CALLS = "(cases) => cases.map(([name, value]) => window.TokenBurnFormat[name](value))"
HIDDEN = """() => [...document.querySelectorAll("tbody tr")].filter((row) => {
  const name = row.cells[0].getBoundingClientRect(), figure = row.cells[1].getBoundingClientRect();
  return figure.left < name.right - 1 || figure.right > innerWidth;
}).map((row) => row.innerText)"""
"""Rows of tables whose first figure is not in sight beside its name."""


@pytest.fixture
def page(chrome: Chrome) -> Iterator[Page]:
    context = chrome.browser.new_context(color_scheme="dark")
    yield context.new_page()
    context.close()


def test_a_page_formats_figures_as_python_does(page: Page) -> None:
    rng = random.Random(11)
    sizes = [rng.uniform(-1, 1) * 10 ** rng.uniform(-5, 8) for _ in range(3000)]
    ties = [rng.randrange(1, 10**6) / 2 ** rng.randrange(1, 12) for _ in range(3000)]
    values = [value for value in (*sizes, *ties) if value]
    cases: list[tuple[str, float | None]] = [(name, value) for name, value, _ in FIGURES]
    cases += [(name, value) for value in values for name in ("number", "exact")]
    cases += [(name, abs(value)) for value in values for name in ("share", "clock")]
    page.add_script_tag(path=FORMATTER)
    shown = dict(zip(cases, page.evaluate(CALLS, cases), strict=True))
    assert [text for name, value, text in FIGURES if shown[name, value] != text] == []
    wrong = [(*case, text) for case, text in shown.items() if getattr(number_format, case[0])(case[1]) != text]
    assert wrong == []


@pytest.mark.parametrize("width", [390, 1400])
def test_the_file_is_not_wider_than_the_window_and_shows_figures_beside_their_names(
    page: Page, tmp_path: Path, width: int
) -> None:
    found = full_report()
    found["run"]["target"] = "https://" + "a-long-name." * 12 + "example/v1"
    path = tmp_path / "report.html"
    path.write_text(report_html(found, "1 user", ""))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("tbody tr").count() > 20
    assert page.evaluate(HIDDEN) == []
    assert page.locator("svg").count() == 8
    inside = "(found) => found.every((one) => one.getBoundingClientRect().right <= innerWidth)"
    assert page.locator("svg").evaluate_all(inside)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)", "its style applies"


def test_not_even_markup_that_got_into_the_file_runs_there(page: Page, tmp_path: Path) -> None:
    """The policy holds where escaping would not: as if a template had forgotten it."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    whole = report_html(full_report(), "LOAD", "")
    path = tmp_path / "report.html"
    path.write_text(whole.replace("LOAD", EVIL.replace("alert(1)", "window.owned=1")))
    page.goto(path.as_uri())
    assert page.locator("script").count() == 1 and page.locator("img").count() == 1
    assert page.evaluate("window.owned") is None
    assert any("Content Security Policy" in text for text in said)
