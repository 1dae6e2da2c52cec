"""`gym-llm keys`."""

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.db import Database
from app.keys.authenticator import KeyAuthenticator
from app.keys.cli import app
from app.settings import Settings

pytestmark = pytest.mark.empty_database


@pytest.fixture(autouse=True)
def _environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GYM_LLM_DATABASE_URL", database_url)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def role_of(key: str) -> str:
    async def ask() -> str:
        database = Database(Settings().database_url)
        try:
            caller = await KeyAuthenticator(database).authenticate(key, None)
            return f"{caller.role} of {caller.owner}"
        finally:
            await database.close()

    return asyncio.run(ask())


def test_a_key_is_made_listed_and_revoked():
    made = run("create", "laptop", "--role", "viewer", "--owner", "alice")
    assert made.exit_code == 0
    key = made.stdout.strip()
    assert key.startswith("glm_")
    assert role_of(key) == "viewer of alice"
    assert role_of(run("create", "bob").stdout.strip()) == "user of bob"
    listed = run("list").stdout
    assert all(word in listed for word in (key[:12], "laptop", "alice", "viewer", "bob"))
    assert key not in listed
    gone = run("revoke", key[:12])
    assert gone.exit_code == 0
    assert key not in gone.stdout
    with pytest.raises(Exception, match="valid API key"):
        role_of(key)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("revoke", "glm_nothing"), 1), (("create", "no spaces"), 2), (("create", "x", "--role", "god"), 2)],
)
def test_failures_are_one_line(arguments: tuple[str, ...], code: int):
    result = run(*arguments)
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_wrong_setting_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GYM_LLM_ADMIN_KEY", "glm_weak-but-secret")
    result = run("list")
    assert result.exit_code == 2
    assert "GYM_LLM_ADMIN_KEY" in result.stderr
    assert "weak-but-secret" not in result.output
