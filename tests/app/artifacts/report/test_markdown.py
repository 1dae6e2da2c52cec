"""The report as Markdown."""

import re

import pytest

from app.artifacts.report.build import batch_report
from app.artifacts.report.markdown import report_markdown
from tests.app.artifacts.report.runs_reported import NOW, RANDOM, lander_batch, llm, run

NASTY = "a|b\n| c | <script>alert(1)</script> ![x](y) `code` *bold* $1$ \\ \x1b[31m"


def tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of each table, by the heading above it; an escaped bar ends no cell."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            found.setdefault(heading, []).append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def test_the_table_of_results_is_there():
    found = tables(report_markdown(lander_batch()))
    head, _, *rows = found["Results"]
    assert head == ["Environment", "Agent", "Avg. reward", "95 % CI", "Success", "Avg. steps", "Invalid", "Cost", "GIF"]
    assert len(rows) == 7
    heuristic = next(row for row in rows if row[:2] == ["CartPoleLLM-v1", "heuristic"])
    assert heuristic[2:-1] == ["500.00", "–", "100.0 %", "109.5", "3.0 %", "\\$0.20"]
    assert heuristic[-1] == "![heuristic in CartPoleLLM-v1, seed 0](gifs/12/0.gif)"
    assert len(found["Paired differences"]) == 2 + 6 + 3
    assert [row[1:2] + row[4:] for row in found["Failures"][2:]] == [["llama3.1", "0", "llm\\_error", "no answer"]]


def test_every_row_is_as_long_as_its_head():
    for rows in tables(report_markdown(lander_batch())).values():
        assert {len(row) for row in rows} == {len(rows[0])}


def test_text_of_others_stays_text():
    failed = {"status": "failed", "error": {"code": "llm_error", "message": NASTY}}
    made = batch_report([run(1, llm(NASTY), [1.0], environment={"name": NASTY}, **failed)], title=NASTY, created_at=NOW)
    text = report_markdown(made)
    assert "<script>" not in re.sub(r"\\<", "", text)
    assert not re.search(r"(?<!\\)`|\x1b", text)
    for rows in tables(text).values():
        assert {len(row) for row in rows} == {len(rows[0])}


def test_an_address_can_not_end_its_picture():
    episode = {"episode": 0, "seed": 0, "total_reward": 1.0, "num_steps": 1, "gif": "a b) | <x>.gif"}
    text = report_markdown(batch_report([run(1, RANDOM, [], episodes=[episode])], title="T", created_at=NOW))
    assert "(a%20b%29%20%7C%20%3Cx%3E.gif)" in text


@pytest.mark.parametrize(("status", "told"), [("running", True), ("succeeded", False)])
def test_an_unfinished_batch_says_so(status: str, told: bool):
    made = batch_report([run(1, RANDOM, [1.0], status=status)], title="T", created_at=NOW)
    assert ("Not complete" in report_markdown(made)) is told


def test_an_empty_report_can_be_written():
    assert report_markdown(batch_report([], title="T", created_at=NOW)).startswith("# T\n")
