"""The report of a batch, in a real browser."""

from pathlib import Path
from typing import Any

import pytest

from app.artifacts.report.html import report_html, typical_gifs
from tests.app.artifacts.report.runs_reported import GIF, lander_batch

DRAWN = """() => [...document.querySelectorAll('svg .interval')].map(each => {
    const box = each.getBoundingClientRect()
    return [box.width, getComputedStyle(each).stroke]
})"""
SPILT = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
    const edge = svg.getBoundingClientRect()
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect()
        return box.left < edge.left - 1 || box.right > edge.right + 1
    }).map(text => text.textContent)
})"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The page as a file, with every GIF in it."""
    made = lander_batch()
    path = tmp_path / "report.html"
    path.write_text(report_html(made, dict.fromkeys(typical_gifs(made), GIF)), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_needs_nothing_else(page: Any, report: Path, scheme: str):
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    assert page.locator("h1").inner_text() == "Lander and pole"
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert said == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]


def test_plots_pictures_and_tables_are_seen(page: Any, report: Path):
    page.goto(report.as_uri())
    drawn = page.evaluate(DRAWN)
    assert len(drawn) == 4 + 6 + 2 + 3
    assert all(width > 1 and colour == "rgb(0, 96, 168)" for width, colour in drawn)
    assert page.evaluate(SPILT) == []
    assert page.evaluate("[...document.images].map(each => each.naturalWidth)") == [1] * 7
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="heuristic", exact=True)).first
    assert "241.00" in row.inner_text()
    assert page.get_by_role("img", name="Reward per episode in CartPoleLLM-v1").count() == 1
    page.get_by_text("Every episode").first.click()
    assert page.get_by_role("table", name="Episodes in LunarLanderLLM-v3").is_visible()


def test_a_narrow_screen_scrolls_the_parts_not_the_page(page: Any, report: Path):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_pictures_beside_the_page_are_shown_too(page: Any, tmp_path: Path):
    made = lander_batch()
    for gif in typical_gifs(made):
        (tmp_path / gif).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / gif).write_bytes(GIF)
    (tmp_path / "report.html").write_text(report_html(made), encoding="utf-8")
    page.goto((tmp_path / "report.html").as_uri())
    for picture in page.locator(".gallery img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("[...document.images].every(each => each.naturalWidth === 1)")
