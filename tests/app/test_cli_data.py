"""`gym-llm export`, `replay` and `import`, against a real service."""

import json
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.app.commands import config, invoke, written
from tests.app.commands import here as here
from tests.app.commands import url as url


@pytest.fixture
def run_id(url: str, tmp_path: Path) -> str:
    code, told, _ = invoke("submit", written(tmp_path / "pole.yaml", config(num_runs=2)), "--follow", "--url", url)
    assert code == 0
    return told.splitlines()[0]


def test_out_and_in_again(url: str, run_id: str, tmp_path: Path) -> None:
    code, told, problem = invoke("replay", run_id, "--url", url)
    assert (code, problem) == (0, "")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines() if line.count("│") == 6]
    assert rows == [["0", "0", "20", "20", "none"], ["1", "1", "20", "20", "none"]]

    archive = tmp_path / "run.zip"
    archive.write_bytes(httpx.get(f"{url}/runs/{run_id}/archive").content)
    assert invoke("replay", archive)[0] == 0
    code, told, _ = invoke("import", archive, "--url", url)
    assert code == 0
    copy = httpx.get(f"{url}/runs/{told.strip()}").json()
    assert copy["imported_from"]["run_id"] == run_id

    for format, name in (("jsonl", ".jsonl"), ("parquet", "_parquet.zip"), ("minari", "_minari.zip")):
        code, told, _ = invoke("export", run_id, "--format", format, "--url", url)
        assert (code, told.strip()) == (0, f"run_{run_id}{name}")
        assert Path(told.strip()).stat().st_size > 1000
    assert invoke("replay", f"run_{run_id}.jsonl")[0] == 0
    code, told, _ = invoke(
        *("export", run_id, "--format", "openai", "--top-fraction", "0.5", "--only-valid"),
        *("--output", "train.jsonl", "--url", url),
    )
    assert (code, told) == (0, "train.jsonl\n")
    assert len(Path("train.jsonl").read_text().splitlines()) == 20
    assert not list(tmp_path.glob(".*.part"))


def test_a_forged_run_is_found_out(url: str, run_id: str, tmp_path: Path) -> None:
    invoke("export", run_id, "--output", "run.jsonl", "--url", url)
    lines = Path("run.jsonl").read_text().splitlines()
    forged = json.loads(lines[5]) | {"reward": 2.0}
    Path("forged.jsonl").write_text("\n".join([*lines[:5], json.dumps(forged), *lines[6:]]) + "\n")
    code, told, problem = invoke("replay", "forged.jsonl")
    assert code == 1
    assert "step 4: its reward differs" in told
    assert problem == "Error: 1 of 2 episodes could not be verified\n"

    with zipfile.ZipFile("forged.zip", "w") as archive:
        archive.writestr("run.json", lines[0])
        archive.writestr("episodes.jsonl", "\n".join(line for line in lines if '"type":"episode"' in line))
        forged_lines = Path("forged.jsonl").read_text().splitlines()
        archive.writestr("steps.jsonl", "\n".join(line for line in forged_lines if '"step"' in line))
    code, _, problem = invoke("import", "forged.zip", "--url", url)
    assert (code, problem) == (2, "Error: Episode 0 step 4: its reward differs.\n")
    assert invoke("import", "forged.zip", "--no-verify", "--url", url)[0] == 0


def test_what_is_no_run(url: str, run_id: str, tmp_path: Path) -> None:
    Path("broken.zip").write_bytes(b"PK")
    for arguments, told in (
        (("replay", "nonsense"), "neither the id of a run"),
        (("replay", "missing.zip"), "missing.zip: No such file"),
        (("replay", "broken.zip"), "broken.zip: Not an archive"),
        (("import", "missing.zip"), "missing.zip: No such file"),
        (("import", "broken.zip", "--url", url), "can't be unpacked"),
        (("replay", "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f", "--url", url), "There is no such run."),
        (("export", run_id, "--min-return", "1", "--url", url), "format=openai only"),
    ):
        code, _, problem = invoke(*arguments)
        assert code == 2, arguments
        assert told in problem
        assert problem.count("\n") == 1
