"""The log: where it goes, and what it never shows."""

import json

import pytest
import structlog

from app.telemetry import set_up_logging


def test_tracebacks_show_no_values(capfd: pytest.CaptureFixture[str]):
    structlog.reset_defaults()
    set_up_logging("INFO")

    def fail() -> None:
        api_key = "".join(["sk-", "secret"])
        raise RuntimeError(f"with a key of {len(api_key)} characters")

    try:
        fail()
    except RuntimeError:
        structlog.get_logger().exception("failed", run="1")
    out, err = capfd.readouterr()
    assert out == ""
    line = json.loads(err)
    assert (line["event"], line["run"], line["level"]) == ("failed", "1", "error")
    assert "in fail" in line["exception"]
    assert "sk-secret" not in err


def test_levels(capfd: pytest.CaptureFixture[str]):
    structlog.reset_defaults()
    set_up_logging("WARNING")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()] == ["loud"]
