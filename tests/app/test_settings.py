"""Settings: what they take, and what they make of database addresses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("", "sqlite+aiosqlite:///data/gym-llm.db"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("sqlite+aiosqlite:////abs/x.db", "sqlite+aiosqlite:////abs/x.db"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h:5432/d?sslmode=require", "postgresql+psycopg://u:p@h:5432/d?sslmode=require"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
    ],
)
def test_database_urls_get_the_right_driver(given: str, full: str):
    assert Settings(_env_file=None, database_url=given).database_url == full


@pytest.mark.parametrize("url", ["mysql://h/d", "x.db", "postgresql+asyncpg://h/d"])
def test_other_databases_are_refused(url: str):
    with pytest.raises(ValidationError, match="sqlite:// or postgresql://"):
        Settings(_env_file=None, database_url=url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_RUNNING_RUNS", "0"),
        ("MAX_EPISODES", "-1"),
        ("PING_S", "0"),
        ("LLM_ATTEMPTS", "0"),
        ("COMMIT_WITHIN_MS", "51"),
        ("LOG_LEVEL", "loud"),
        ("MAX_BODY_BYTES", "10"),
    ],
)
def test_bad_values_name_their_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(f"GYM_LLM_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(_env_file=None)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("GYM_LLM_DATA_DIR=from-file\nGYM_LLM_MAX_WATCHERS=5\nOPENAI_API_KEY=sk-not-ours\n")
    monkeypatch.setenv("GYM_LLM_DATA_DIR", "from-environment")
    settings = Settings(_env_file=file)
    assert settings.data_dir == Path("from-environment")
    assert settings.max_watchers == 5
    assert settings.database_url.endswith("from-environment/gym-llm.db")
    assert "sk-not-ours" not in repr(settings)
