"""The API reference, and an event stream, in a real browser."""

from typing import Any
from urllib.parse import urlsplit

from tests.app.running import body
from tests.processes import Server

FOLLOW = """runId => new Promise((resolve, reject) => {
    const seen = []
    const source = new EventSource(`/runs/${runId}/events`)
    for (const kind of ['run', 'step', 'episode', 'done'])
        source.addEventListener(kind, event => {
            seen.push([kind, event.lastEventId])
            if (kind === 'done') { source.close(); resolve(seen) }
        })
    source.onerror = () => source.readyState === EventSource.CLOSED && reject(new Error('closed'))
})"""


def test_the_api_reference_renders_and_asks_nobody_else(page: Any, server: Server):
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/docs")
    page.locator(".opblock").first.wait_for()
    shown = page.locator(".opblock-summary-path").all_inner_texts()
    paths = {path.replace("\u200b", "") for path in shown}
    assert paths >= {"/runs", "/runs/{run_id}/events", "/environments", "/backends", "/readyz"}
    page.locator("#operations-runs-create_run_runs_post .opblock-summary").click()
    page.get_by_text("Idempotency", exact=False).first.wait_for()
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(server.url).netloc}
    assert errors == []


def test_an_event_source_follows_a_run_to_its_end(page: Any, server: Server):
    page.goto(f"{server.url}/livez")
    with server.client() as client:
        run_id = client.post("/runs", json=body("Slow-v0", {"length": 10})).json()["id"]
    seen = page.evaluate(FOLLOW, run_id)
    assert [id for kind, id in seen if kind == "step"] == [str(id) for id in range(1, 11)]
    assert [kind for kind, _ in seen][-3:] == ["episode", "run", "done"]
