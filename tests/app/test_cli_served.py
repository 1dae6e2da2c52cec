"""`gym-llm serve` as a real process, and the commands that talk to it."""

import re
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest
import yaml

from tests.app.commands import Start, config, free_port, invoke, line, served, written
from tests.app.commands import here as here
from tests.app.commands import start as start
from tests.app.commands import url as url
from tests.scripted_llm.fixtures import serving


def test_serve_on_a_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _, problem = start("serve", "--port", str(taken.getsockname()[1])).communicate(timeout=60)
    assert problem.startswith("Error: cannot serve on")
    assert problem.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_at_once_with_a_stream_open(start: Start, number: signal.Signals) -> None:
    with serving(latency=0.2) as llm:
        process = start("serve", "--port", "0", OLLAMA_HOST=llm.url)
        with httpx.Client(base_url=served(process), timeout=30) as client:
            values = config(max_steps=500) | {"agent": {"backend": "ollama", "model": "scripted"}}
            run_id = client.post("/runs", json=values).json()["id"]
            with client.stream("GET", f"/runs/{run_id}/events") as stream:
                lines = stream.iter_lines()
                next(text for text in lines if text.startswith("event: step"))
                process.send_signal(number)
                asked = time.monotonic()
                assert "event: done" not in list(lines)
                assert process.wait(30) == 0
                assert time.monotonic() - asked < 5  # it waits 10 s for what it can not end
    _, problems = process.communicate()
    assert "Traceback" not in problems


@pytest.mark.parametrize(("options", "status"), [((), 403), (("--insecure",), 200)])
def test_serve_answers_to_names_of_this_machine_only(start: Start, options: tuple[str, ...], status: int) -> None:
    with httpx.Client(base_url=served(start("serve", "--port", "0", *options)), timeout=30) as client:
        assert client.get("/runs").status_code == 200
        assert client.get("/runs", headers={"Host": "example.org"}).status_code == status


def test_submit_prints_the_id_and_the_same_for_the_same_key(url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config())
    first = invoke("submit", path, "--url", url, "--idempotency-key", "k")
    assert first[0] == 0
    assert first == invoke("submit", path, "--url", url, "--idempotency-key", "k")
    other = written(tmp_path / "other.yaml", config(seed=1))
    code, _, problem = invoke("submit", other, "--url", url, "--idempotency-key", "k")
    assert (code, problem.count("\n")) == (2, 1)
    assert invoke("submit", path, "--url", url, "--idempotency-key", "ü")[0] == 2
    code, _, problem = invoke("submit", written(tmp_path / "bad.yaml", config(gif_fps=0)), "--url", url)
    assert code == 2
    assert "experiment.gif_fps" in problem


def test_follow_to_the_end(url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config(num_runs=2, save_gif=True))
    code, told, problems = invoke("submit", path, "--follow", "--url", url)
    assert (code, problems) == (0, "")
    run_id = told.splitlines()[0]
    assert "episode 1 step 20: action " in told
    assert re.search(r"average +│ +│ +20\.0 │ 20\.00 ± 0\.00", told)
    assert f"GIF: {url}/runs/{run_id}/episodes/{{0..1}}/gif" in told
    again = invoke("follow", run_id, "--url", url)
    assert [line for line in again[1].splitlines() if " step " in line] == [
        line for line in told.splitlines() if " step " in line
    ]


def test_run_that_fails_or_is_cancelled_is_exit_code_1(start: Start, tmp_path: Path) -> None:
    with serving(latency=0.1) as llm:
        url = served(start("serve", "--port", "0", OLLAMA_HOST=llm.url))
        failing = config() | {"agent": {"backend": "ollama", "model": "not-there"}}
        code, _, problem = invoke("submit", written(tmp_path / "f.yaml", failing), "--follow", "--url", url)
        assert code == 1
        assert "llm_error" in problem
        slow = config(max_steps=500) | {"agent": {"backend": "ollama", "model": "scripted"}}
        following = start("submit", str(written(tmp_path / "s.yaml", slow)), "--follow", "--url", url)
        run_id = line(following).strip()
        assert invoke("cancel", run_id, "--url", url)[:2] in [(0, "cancelling\n"), (0, "cancelled\n")]
        _, problem = following.communicate(timeout=30)
        assert following.returncode == 1
        assert f"run {run_id} was cancelled" in problem


def test_unknown_run_is_exit_code_2(url: str) -> None:
    some_id = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"
    for command in ("follow", "cancel"):
        code, _, problem = invoke(command, some_id, "--url", url)
        assert (code, problem) == (2, "Error: There is no such run.\n")


def test_interrupted_follow_tells_that_the_run_goes_on(start: Start, tmp_path: Path) -> None:
    with serving(latency=0.05) as llm:
        url = served(start("serve", "--port", "0", OLLAMA_HOST=llm.url))
        slow = config(max_steps=60) | {"agent": {"backend": "ollama", "model": "scripted"}}
        following = start("submit", str(written(tmp_path / "s.yaml", slow)), "--follow", "--url", url)
        run_id = line(following).strip()
        assert " step 1:" in line(following)
        following.send_signal(signal.SIGINT)
        _, told = following.communicate(timeout=30)
        assert following.returncode == 130
        assert f"gym-llm cancel {run_id} --url {url}" in told
        assert "Traceback" not in told
        assert invoke("follow", run_id, "--url", url)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_follow_survives_a_restart_and_shows_every_step_once(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(latency=0.05) as llm:
        port = free_port()
        service = start("serve", "--port", port, OLLAMA_HOST=llm.url)
        url = served(service)
        slow = config(max_steps=60) | {"agent": {"backend": "ollama", "model": "scripted"}}
        following = start("submit", str(written(tmp_path / "s.yaml", slow)), "--follow", "--url", url)
        shown = [line(following) for _ in range(10)]
        service.send_signal(number)
        service.wait(30)
        served(start("serve", "--port", port, OLLAMA_HOST=llm.url))
        shown += following.communicate(timeout=60)[0].splitlines(keepends=True)
    assert following.returncode == 0
    numbers = [int(found[1]) for text in shown if (found := re.match(r"episode 0 step (\d+): ", text))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert any("ended after" in text for text in shown)


def test_agents_by_name(url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config())
    assert invoke("agents", "create", "pilot", path, "--url", url) == (0, "pilot\n", "")
    code, _, problem = invoke("agents", "create", "pilot", path, "--url", url)
    assert (code, problem.count("\n")) == (2, 1)
    assert re.search(r"pilot +│ baseline │ heuristic", invoke("agents", "list", "--url", url)[1])
    shown = yaml.safe_load(invoke("agents", "show", "pilot", "--url", url)[1])
    assert (shown["agent"]["model"], shown["agent"]["history"]) == ("heuristic", 10)
    named = written(tmp_path / "named.yaml", config() | {"agent": "pilot"})
    assert invoke("submit", named, "--follow", "--url", url)[0] == 0
    assert invoke("agents", "delete", "pilot", "--url", url) == (0, "deleted pilot\n", "")
    for command in ("show", "delete"):
        code, _, problem = invoke("agents", command, "pilot", "--url", url)
        assert (code, problem) == (2, "Error: There is no such agent.\n")
    code, _, problem = invoke("submit", named, "--url", url)
    assert (code, "agent" in problem) == (2, True)
    for text in ("x: 1", "a: [", ""):
        bad = tmp_path / "bad.yaml"
        bad.write_text(text)
        code, _, problem = invoke("agents", "create", "other", bad, "--url", url)
        assert (code, problem.count("\n")) == (2, 1)
