"""Batches of a service, from the command line."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.app.commands import NOWHERE, Start, invoke, line, served, written
from tests.app.commands import here as here
from tests.app.commands import start as start
from tests.app.test_cli_batch import SCRIPTED, batch, ended, report
from tests.processes import Server
from tests.scripted_llm.fixtures import serving

FOLDER = Path("experiments/mini")
SOME_ID = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"


def cells(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for environment in found["environments"] for cell in environment["cells"]]


def test_from_submitting_to_the_report(server: Server, tmp_path: Path) -> None:
    path = written(tmp_path / "mini.yaml", batch("random", "heuristic", save_gif=True))
    code, told, problems = invoke("batch", path, "--url", server.url, "--idempotency-key", "k")
    assert (code, problems) == (0, "")
    batch_id, *lines = told.splitlines()
    assert "heuristic in CartPoleLLM-v1 succeeded: 2/2 episodes, mean reward 20.00, 40 steps, $0" in lines
    found = report()
    assert (found["id"], found["complete"]) == (batch_id, True)
    for cell in cells(found):
        near, far = (episode["gif"] for episode in cell["episodes"])
        if near != cell["typical"]["gif"]:
            near, far = far, near
        assert near == cell["typical"]["gif"]
        assert (FOLDER / near).read_bytes().startswith(b"GIF8")
        assert near.startswith("gifs/")
        assert far.startswith(f"{server.url}/runs/")
    assert len(list((FOLDER / "gifs").iterdir())) == 2
    assert (FOLDER / "report.html").read_text().count("data:image/gif;base64,") >= 2

    detached = ("batch", path, "--url", server.url, "--idempotency-key", "k", "--detach")
    assert invoke(*detached) == (0, f"{batch_id}\n", "")
    code, told, problems = invoke("follow", batch_id, "--batch", "--url", server.url)
    assert (code, problems) == (0, "")
    assert "4/4" in told
    assert invoke("retry", batch_id, "--url", server.url) == (0, "succeeded\n", "")
    assert invoke("cancel", batch_id, "--batch", "--url", server.url) == (0, "succeeded\n", "")

    assert invoke("report", batch_id, "--output", "again", "--url", server.url)[0] == 0
    assert json.loads(Path("again/report.json").read_text()) | {"created_at": None} == found | {"created_at": None}
    runs = [cell["runs"][0] for cell in cells(found)]
    code, told, _ = invoke("compare", *runs, "--url", server.url)
    assert (code, told.startswith("Report: experiments/comparison/report.html ")) == (0, True)
    compared = json.loads(Path("experiments/comparison/report.json").read_text())
    assert compared["environments"][0]["comparisons"][0]["pairs"] == 2

    code, told, problems = invoke("export", batch_id, "--batch", "--url", server.url)
    assert (code, told, problems) == (0, f"batch_{batch_id}.jsonl\n", "")
    kinds = [json.loads(row)["type"] for row in Path(told.strip()).read_text().splitlines()]
    assert (kinds.count("run"), kinds.count("episode")) == (2, 4)


def test_failed_cells_are_told_after_the_report(server: Server, tmp_path: Path) -> None:
    path = written(tmp_path / "mini.yaml", batch("heuristic", {"backend": "baseline", "model": "sb3/none"}))
    code, told, problems = invoke("batch", path, "--url", server.url)
    batch_id = told.splitlines()[0]
    assert code == 1
    failed, error = problems.splitlines()
    assert failed.startswith(
        "sb3/none in CartPoleLLM-v1 failed: invalid_config: agent.model: there is no trained policy"
    )
    assert "gym-llm train-baseline CartPoleLLM-v1 --name none" in failed
    assert error.endswith(f"Play them again: gym-llm retry {batch_id} --url {server.url}")
    assert {failure["agent"] for failure in report()["failures"]} == {"sb3/none"}
    code, told, _ = invoke("retry", batch_id, "--cell", "1", "--max-cost-usd", "5", "--url", server.url)
    assert (code, told.strip() in ("queued", "running", "failed")) == (0, True)
    code, _, problem = invoke("retry", batch_id, "--cell", "9", "--url", server.url)
    assert (code, problem.count("\n")) == (2, 1)


def test_what_is_refused_is_one_line(server: Server, tmp_path: Path) -> None:
    unknown = written(tmp_path / "unknown.yaml", batch("random", environments=("Nope-v0",)))
    wrong = written(tmp_path / "wrong.yaml", batch("random", num_runs=0))
    for arguments, problem in (
        (("batch", unknown), "no such environment"),
        (("batch", wrong), "experiment.num_runs"),
        (("report", SOME_ID), "There is no such batch."),
        (("retry", SOME_ID), "There is no such batch."),
        (("follow", SOME_ID, "--batch"), "There is no such batch."),
        (("cancel", SOME_ID, "--batch"), "There is no such batch."),
        (("export", SOME_ID, "--batch"), "There is no such batch."),
        (("compare", SOME_ID, "019a9f3d-1c07-7e8b-a6a1-5d2c7b9e0f31"), "There is no such run."),
        (("compare", SOME_ID), "run"),
    ):
        code, _, told = invoke(*arguments, "--url", server.url)
        assert (code, told.count("\n")) == (2, 1), arguments
        assert problem in told
    assert not Path("experiments").exists()


def test_a_service_out_of_reach(tmp_path: Path) -> None:
    path = written(tmp_path / "mini.yaml", batch("random"))
    for arguments in (("batch", path), ("report", SOME_ID), ("retry", SOME_ID), ("compare", SOME_ID, SOME_ID)):
        code, _, problem = invoke(*arguments, "--url", NOWHERE)
        assert (code, problem.count("\n")) == (3, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_watcher_survives_a_restart_and_leaves_at_ctrl_c(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    path = written(tmp_path / "mini.yaml", batch("heuristic", SCRIPTED))
    with serving(latency=0.2) as llm:
        service = start("serve", "--port", "0", OLLAMA_HOST=llm.url)
        url = served(service)
        watching = start("batch", str(path), GYM_LLM_URL=url)
        leaving = start("batch", str(path), "--url", url)
        batch_id, left_id = line(watching).strip(), line(leaving).strip()
        assert "heuristic in CartPoleLLM-v1 succeeded" in line(watching)
        assert "heuristic in CartPoleLLM-v1 succeeded" in line(leaving)
        leaving.send_signal(signal.SIGINT)
        code, _, told = ended(leaving)
        assert code == 130
        assert f"gym-llm follow {left_id} --batch --url {url}\n" in told
        assert f"gym-llm cancel {left_id} --batch --url {url}\n" in told
        assert "Traceback" not in told
        service.send_signal(number)
        service.wait(30)
        assert line(watching).startswith("connection lost")
        served(start("serve", "--port", url.rpartition(":")[2], OLLAMA_HOST=llm.url))
        code, told, problems = ended(watching)
    assert (code, problems) == (0, "")
    assert told.count("scripted in CartPoleLLM-v1 succeeded") == 1
    assert "heuristic in CartPoleLLM-v1 succeeded" not in told
    assert report()["id"] == batch_id
