"""Reports and exports of batches: each is checked with the other."""

import io
import json
import zipfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access import Role
from app.bootstrap import Service
from gym_llm.backends import Question
from gym_llm.errors import LLMError
from tests.app.running import Json, until
from tests.fakes import FakeBackend, obedient
from tests.recompute import differences

RANDOM = {"backend": "baseline", "model": "random"}
HEURISTIC = {"backend": "baseline", "model": "heuristic"}
TINY = {"backend": "ollama", "model": "tiny"}


async def batch(client: httpx.AsyncClient, agents: list[Any], environments: list[str], **experiment: Any) -> Json:
    """Play a batch to its end."""
    asked = {
        "name": "trial",
        "agents": agents,
        "environments": [{"name": name} for name in environments],
        "experiment": {"num_runs": 4, **experiment},
    }
    response = await client.post("/batches", json=asked)
    assert response.status_code == 202, response.text
    return await over(client, response.json())


async def retried(client: httpx.AsyncClient, played: Json) -> Json:
    response = await client.post(f"/batches/{played['id']}/retry")
    assert response.status_code == 202, response.text
    return await over(client, response.json())


async def over(client: httpx.AsyncClient, started: Json) -> Json:
    return await until(client, f"/batches/{started['id']}", lambda batch: batch["finished_at"] is not None)


async def report(client: httpx.AsyncClient, played: Json, **options: Any) -> httpx.Response:
    response = await client.get(f"/batches/{played['id']}/report", **options)
    assert response.status_code == 200, response.text
    return response


async def export(client: httpx.AsyncClient, played: Json, format: str, **options: Any) -> bytes:
    response = await client.get(f"/batches/{played['id']}/export", params={"format": format, **options})
    assert response.status_code == 200, response.text
    assert f'filename="batch_{played["id"]}' in response.headers["content-disposition"]
    return response.content


async def assert_same_figures(client: httpx.AsyncClient, played: Json, folder: Path) -> Json:
    """The report, whose every figure an independent program finds in the export, to the last digit."""
    told: Json = (await report(client, played)).json()
    path = folder / "export.zip"
    path.write_bytes(await export(client, played, "parquet"))
    assert differences(path, told) == []
    return told


def cells(told: Json) -> dict[tuple[str, str], Json]:
    return {
        (cell["agent"], environment["name"]): cell
        for environment in told["environments"]
        for cell in environment["cells"]
    }


class Unlucky:
    """Answers as `obedient` does, but fails whatever is asked at the start of some episodes, for as long as it has bad
    luck."""

    def __init__(self, *seeds: int) -> None:
        self.seeds = seeds

    def __call__(self, question: Question) -> str:
        if question.seed in self.seeds:
            raise LLMError("no answer")
        return obedient(question)


async def test_the_report_is_what_the_export_comes_to(client: httpx.AsyncClient, tmp_path: Path):
    played = await batch(
        client,
        [RANDOM, {**HEURISTIC, "name": "by hand"}, {**HEURISTIC, "name": "by hand again"}],
        ["CartPoleLLM-v1", "FrozenLakeLLM-v1"],
        max_steps=40,
        seed=3,
    )
    told = await assert_same_figures(client, played, tmp_path)
    assert (told["id"], told["title"], told["complete"], told["failures"]) == (played["id"], "trial", True, [])
    assert told["configuration"] == played["request"]
    found = cells(told)
    assert list(found) == [
        (agent, environment)
        for environment in ("CartPoleLLM-v1", "FrozenLakeLLM-v1")
        for agent in ("random", "by hand", "by hand again")
    ]
    for cell in played["cells"]:
        reported = found[cell["agent"], cell["environment"]]
        assert reported["runs"] == cell["runs"]
        assert reported["statistics"]["avg_reward"] == pytest.approx(cell["avg_reward"])
        assert [episode["seed"] for episode in reported["episodes"]] == [3, 4, 5, 6]
    for environment in told["environments"]:
        assert len(environment["comparisons"]) == 3
        same = environment["comparisons"][2]
        assert (same["first"], same["second"], same["mean_difference"]) == ("by hand", "by hand again", 0)


async def test_lessons_are_paid_for_in_the_report_as_in_the_metrics(
    client: httpx.AsyncClient, service: Service, tmp_path: Path
):
    service.backends["ollama"] = FakeBackend(obedient)
    agents = [{**TINY, "strategy": strategy, "history": 2} for strategy in ("memory", "reflect")]
    told = await assert_same_figures(client, await batch(client, agents, ["Counting-v0"]), tmp_path)
    spent = ("attempts", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd")
    for cell in cells(told).values():
        [run] = cell["runs"]
        figures = (await client.get(f"/runs/{run}/metrics")).json()
        assert {name: cell["statistics"][name] for name in spent} == {name: figures[name] for name in spent}
        learned = cell["configuration"]["strategy"] == "memory"
        assert [episode["totals"]["lessons"] for episode in cell["episodes"]] == [int(learned)] * 4


async def test_each_run_of_an_export_names_its_cell(client: httpx.AsyncClient):
    played = await batch(client, [RANDOM, HEURISTIC], ["Counting-v0"], num_runs=2)
    expected = {run: cell["cell"] for cell in played["cells"] for run in cell["runs"]}
    lines = [json.loads(line) for line in (await export(client, played, "jsonl")).splitlines()]
    runs = [line for line in lines if line["type"] == "run"]
    assert {run["id"]: run["cell"] for run in runs} == expected
    assert {run["batch_id"] for run in runs} == {played["id"]}
    assert sum(line["type"] == "episode" for line in lines) == 4
    assert sum(line["type"] == "step" for line in lines) == sum(cell["steps"] for cell in played["cells"])
    with zipfile.ZipFile(io.BytesIO(await export(client, played, "parquet"))) as archive:
        runs = [json.loads(line) for line in archive.read("runs.jsonl").splitlines()]
    assert {run["id"]: run["cell"] for run in runs} == expected


async def test_formats_that_play_again_take_all_runs(client: httpx.AsyncClient):
    played = await batch(
        client, [HEURISTIC, {**HEURISTIC, "history": 3}], ["Counting-v0", "CartPoleLLM-v1"], max_steps=6
    )
    steps = sum(cell["steps"] for cell in played["cells"])
    assert len((await export(client, played, "openai")).splitlines()) == steps
    # The best of all runs together: those of the environment that is more generous.
    best = (await export(client, played, "openai", top_fraction=0.5)).splitlines()
    assert len(best) == 2 * 4 * 5
    with zipfile.ZipFile(io.BytesIO(await export(client, played, "minari"))) as archive:
        told = archive.read("README.txt").decode()
    assert f"gym-llm/Counting-v0/batch_{played['id']}-v0" in told
    assert f"gym-llm/CartPoleLLM-v1/batch_{played['id']}-2-v0" in told
    wrong = await client.get(f"/batches/{played['id']}/export", params={"format": "jsonl", "top_fraction": 0.5})
    assert wrong.status_code == 422


async def test_what_was_played_again_counts_once(client: httpx.AsyncClient, service: Service, tmp_path: Path):
    luck = Unlucky(1, 3)
    service.backends["ollama"] = FakeBackend(luck)
    played = await batch(client, [RANDOM, TINY], ["Counting-v0"])
    assert played["status"] == "failed"
    told = await assert_same_figures(client, played, tmp_path)
    assert told["complete"]
    assert cells(told)["tiny", "Counting-v0"]["statistics"]["n"] < 4
    [failed] = played["cells"][1]["runs"]
    assert {failure["run_id"] for failure in told["failures"]} == {failed}
    assert {failure["error"]["code"] for failure in told["failures"]} == {"llm_error"}

    luck.seeds = (3,)
    still = await retried(client, played)
    told = await assert_same_figures(client, still, tmp_path)
    # What failed again is told once, of the run that it failed in last.
    newest = still["cells"][1]["runs"][-1]
    assert [(failure["run_id"], failure["seed"]) for failure in told["failures"]] == [(newest, 3)]

    luck.seeds = ()
    mended = await retried(client, still)
    assert mended["status"] == "succeeded"
    told = await assert_same_figures(client, mended, tmp_path)
    cell = cells(told)["tiny", "Counting-v0"]
    assert cell["runs"] == mended["cells"][1]["runs"]
    assert len(cell["runs"]) >= 3
    assert told["failures"] == []
    assert cell["statistics"]["episodes"] == {"succeeded": 4}
    assert sorted(episode["seed"] for episode in cell["episodes"]) == [0, 1, 2, 3]
    assert told["environments"][0]["comparisons"][0]["pairs"] == 4


async def test_runs_that_left_their_cell_are_exported_only(client: httpx.AsyncClient, service: Service, tmp_path: Path):
    luck = Unlucky(2)
    service.backends["ollama"] = FakeBackend(luck)
    played = await batch(client, [{**TINY, "strategy": "memory"}], ["Counting-v0"])
    [first] = played["cells"][0]["runs"]
    luck.seeds = ()
    mended = await retried(client, played)
    [second] = mended["cells"][0]["runs"]
    assert first != second
    told = await assert_same_figures(client, mended, tmp_path)
    [cell] = cells(told).values()
    assert (cell["runs"], cell["statistics"]["n"], told["failures"]) == ([second], 4, [])
    lines = [json.loads(line) for line in (await export(client, mended, "jsonl")).splitlines()]
    assert {line["id"]: line["cell"] for line in lines if line["type"] == "run"} == {first: None, second: 0}


async def test_the_report_of_a_batch_that_is_not_over(client: httpx.AsyncClient):
    asked = {"agents": [HEURISTIC], "environments": [{"name": "Slow-v0"}], "experiment": {"num_runs": 2}}
    started = (await client.post("/batches", json=asked)).json()
    told = (await report(client, started)).json()
    assert not told["complete"]
    assert [cell["runs"] for cell in cells(told).values()] == [started["cells"][0]["runs"]]
    await client.post(f"/batches/{started['id']}/cancel")
    await over(client, started)
    assert (await report(client, started)).json()["complete"]


async def test_the_forms_of_the_report(client: httpx.AsyncClient):
    played = await batch(client, [RANDOM, HEURISTIC], ["Counting-v0"], save_gif=True, num_runs=2)
    text = await report(client, played, headers={"Accept": "text/markdown"})
    assert text.text.startswith("# trial\n")
    page = await report(client, played, params={"format": "html"})
    assert "content-security-policy" in page.headers
    for cell in cells((await report(client, played)).json()).values():
        assert f"]({cell['typical']['gif']})" in text.text
        gif = (await client.get(cell["typical"]["gif"])).content
        assert b64encode(gif).decode() in page.text


async def test_batches_of_others_are_not_there(client: httpx.AsyncClient, service: Service):
    headers = {
        owner: {"Authorization": f"Bearer {(await service.keys.create(owner, Role.USER, owner)).key}"}
        for owner in ("alice", "mallory")
    }
    client.headers.update(headers["alice"])
    played = await batch(client, [RANDOM], ["Counting-v0"], num_runs=1)
    for path in ("report", "report?format=html", "export", "export?format=parquet"):
        url = f"/batches/{played['id']}/{path}"
        assert (await client.get(url)).status_code == 200, path
        answer = await client.get(url, headers=headers["mallory"])
        assert answer.status_code == 404
        assert answer.json()["detail"] == "There is no such batch."
