"""The forms that a report comes in, and what a page holds."""

import asyncio
import re
import threading
from base64 import b64encode
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.access import LOCAL
from app.artifacts.report.build import compare
from app.artifacts.report.html import CONTENT_SECURITY_POLICY
from app.artifacts.report.model import BatchReport
from app.bootstrap import Service
from app.db import now
from app.errors import NotFoundError, UnavailableError
from app.reports import gifs
from app.reports.formats import accepted
from tests.app.running import Json, body, play

TYPES = {"json": "application/json", "markdown": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
async def pair(client: httpx.AsyncClient) -> list[str]:
    """Two runs of one episode each, with GIFs."""
    runs = [await play(client, body(save_gif=True, model=model)) for model in ("random", "heuristic")]
    return [run["id"] for run in runs]


async def compared(client: httpx.AsyncClient, runs: list[str], format: str = "json") -> httpx.Response:
    response = await client.get("/compare", params={"run": runs, "format": format})
    assert response.status_code == 200, response.text
    return response


async def typical(client: httpx.AsyncClient, runs: list[str]) -> list[Json | None]:
    report = (await compared(client, runs)).json()
    return [cell["typical"] for environment in report["environments"] for cell in environment["cells"]]


async def lose_gif(service: Service, run: str) -> None:
    (gif,) = (service.settings.data_dir / "runs" / run).glob("*.gif")
    gif.unlink()


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        ("*/*", "json"),
        ("", "json"),
        ("application/json", "json"),
        ("text/html", "html"),
        ("TEXT/HTML; charset=utf-8", "html"),
        ("text/markdown", "markdown"),
        (BROWSER, "html"),
        ("application/json, text/html", "json"),
        ("text/html, application/json", "html"),
        ("text/html;q=0.5, text/markdown;q=0.7, application/json;q=0.1", "markdown"),
        ("text/html;q=0, text/markdown;q=0.1", "markdown"),
        ("text/html;q=0", "json"),
        ("text/html;q=much", "json"),
        ("image/png, text/plain", "json"),
    ],
)
def test_what_is_accepted(accept: str, format: str):
    assert accepted(accept) == format


async def test_the_format_is_asked_for_or_negotiated(client: httpx.AsyncClient, pair: list[str]):
    for asked, accept, format in (
        (None, "*/*", "json"),
        (None, BROWSER, "html"),
        (None, "text/markdown", "markdown"),
        ("json", "text/html", "json"),
        ("markdown", "text/html", "markdown"),
        ("html", "application/json", "html"),
    ):
        query: dict[str, Any] = {"run": pair} | ({"format": asked} if asked else {})
        response = await client.get("/compare", params=query, headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == TYPES[format]
        assert response.headers["vary"] == "Accept"
        assert ("content-security-policy" in response.headers) == (format == "html")
        start = {
            "json": '{"title":"Comparison of runs"',
            "markdown": "# Comparison of runs\n",
            "html": "<!doctype html>",
        }
        assert response.text.startswith(start[format])


async def test_json_is_the_report(client: httpx.AsyncClient, pair: list[str]):
    answer = (await compared(client, pair)).json()
    assert BatchReport.model_validate(answer).model_dump(mode="json") == answer


async def test_links_lead_to_the_gifs(client: httpx.AsyncClient, pair: list[str]):
    shown = await typical(client, pair)
    links = [episode["gif"] for episode in shown if episode]
    assert links == [f"http://localhost/runs/{run}/episodes/0/gif" for run in pair]
    text = (await compared(client, pair, "markdown")).text
    for link in links:
        assert f"]({link})" in text
        assert (await client.get(link)).headers["content-type"] == "image/gif"


async def test_a_page_holds_its_plots_and_gifs(client: httpx.AsyncClient, pair: list[str]):
    page = await compared(client, pair, "html")
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    for run in pair:
        gif = (await client.get(f"/runs/{run}/episodes/0/gif")).content
        assert f'<img src="data:image/gif;base64,{b64encode(gif).decode()}"' in page.text
    assert page.text.count("<svg") >= 2
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|href)="http[^"]*"', page.text)


async def test_a_page_links_to_what_is_too_much_for_it(
    client: httpx.AsyncClient, pair: list[str], monkeypatch: pytest.MonkeyPatch
):
    size = len((await client.get(f"/runs/{pair[0]}/episodes/0/gif")).content)
    monkeypatch.setattr(gifs, "EMBEDDED_BYTES", size)
    page = (await compared(client, pair, "html")).text
    assert page.count("data:image/gif") == 1
    assert f'<a href="http://localhost/runs/{pair[1]}/episodes/0/gif">' in page


async def test_a_gif_that_is_lost_is_not_shown(client: httpx.AsyncClient, service: Service, pair: list[str]):
    await lose_gif(service, pair[0])
    first, second = await typical(client, pair)
    assert first is None
    assert second is not None
    for format in TYPES:
        text = (await compared(client, pair, format)).text
        assert f"{pair[0]}/episodes/0/gif" not in text
        assert pair[0] in text or format == "markdown"


async def test_a_store_that_is_down_does_not_keep_the_figures(
    client: httpx.AsyncClient, service: Service, pair: list[str], monkeypatch: pytest.MonkeyPatch
):
    async def down(*_: object) -> None:
        raise UnavailableError("The store of files can't be reached.")

    monkeypatch.setattr(service.files, "episode_file", down)
    page = (await compared(client, pair, "html")).text
    assert "data:image/gif" not in page
    assert all(f'<a href="http://localhost/runs/{run}/episodes/0/gif">' in page for run in pair)


async def test_names_and_episodes_can_be_given(client: httpx.AsyncClient, service: Service):
    run = await service.runs.get(LOCAL, UUID((await play(client, body(num_runs=3)))["id"]))
    found = await service.reports.reported(run, lambda *_: "", agent_name="careful", counted={0, 2})
    assert found.agent_name == "careful"
    assert [episode.episode for episode in found.episodes] == [0, 2]
    await client.delete(f"/runs/{run.id}")
    with pytest.raises(NotFoundError, match="deleted"):
        await service.reports.reported(run, lambda *_: "")


async def test_reports_are_made_one_at_a_time(service: Service):
    at_work = threading.Semaphore()
    alone: list[bool] = []

    def build() -> BatchReport:
        alone.append(at_work.acquire(blocking=False))
        threading.Event().wait(0.05)
        if alone[-1]:
            at_work.release()
        return compare([], created_at=now())

    await asyncio.gather(*(service.reports.make(LOCAL, build) for _ in range(3)))
    assert alone == [True, True, True]
