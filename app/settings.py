"""Everything an operator can set, by environment variable or `.env`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Settings(BaseSettings):
    """Read from `GYM_LLM_*`. Keys and addresses of backends are read by their own clients, under their own names."""

    model_config = SettingsConfigDict(env_prefix="GYM_LLM_", env_file=".env", extra="ignore")

    data_dir: Path = Field(Path("data"), description="Database (where SQLite is used), GIFs and videos.")
    database_url: str = Field("", description="SQLAlchemy URL; empty = SQLite in `data_dir`.")
    max_running_runs: int = Field(64, ge=1, description="Runs played at the same time; the rest wait as `queued`.")
    max_episodes: int = Field(1_000, ge=1, description="Largest `num_runs` that a request may ask for.")
    max_concurrency: int = Field(256, ge=1, description="Largest `concurrency` that a request may ask for.")
    max_episode_steps: int = Field(100_000, ge=1, description="An episode is truncated here at the latest.")
    max_body_bytes: int = Field(256 * 1024, ge=1024, description="Largest request body.")
    max_watchers: int = Field(1_000, ge=1, description="Event streams open at the same time.")
    llm_concurrency: int = Field(256, ge=1, description="Requests in flight at the same time, per backend.")
    llm_timeout_s: float = Field(120, gt=0, description="Of one request to a backend.")
    llm_attempts: int = Field(6, ge=1, description="Requests for one answer, transient failures included.")
    commit_within_ms: int = Field(
        20, ge=0, le=50, description="How long a step may wait for others to share its commit."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe messages that the log shows."
    )
    ping_s: float = Field(15, gt=0, description="Silence after which an event stream sends a ping.")
    shutdown_s: int = Field(10, ge=1, description="Time that requests have to end when the server stops.")

    @model_validator(mode="after")
    def _full_database_url(self) -> Self:
        if not self.database_url:
            self.database_url = f"sqlite+aiosqlite:///{self.data_dir / 'gym-llm.db'}"
        scheme, separator, rest = self.database_url.partition("://")
        self.database_url = _DRIVERS.get(scheme, scheme) + separator + rest
        if not self.database_url.startswith(("sqlite+aiosqlite://", "postgresql+psycopg://")):
            raise ValueError("database_url must start with sqlite:// or postgresql://")
        return self
