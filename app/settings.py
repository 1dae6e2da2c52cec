"""Everything an operator can set, by environment variable or `.env`."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gym_llm.openenv import servers

_ADMIN_KEY = re.compile(r"glm_[!-~]{32,}")
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w!.*'()-]+)*/?")
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


class Settings(BaseSettings):
    """Read from `GYM_LLM_*`. Keys and addresses of backends are read by their own clients, under their own names."""

    model_config = SettingsConfigDict(env_prefix="GYM_LLM_", env_file=".env", extra="ignore", hide_input_in_errors=True)

    data_dir: Path = Field(Path("data"), description="Database (where SQLite is used), GIFs and videos.")
    model_dir: Path = Field(
        Path("models"),
        description="Trained policies (`sb3/NAME` of the baseline backend): `NAME/ENVIRONMENT.zip`, or `NAME.zip`.",
    )
    artifacts_url: str = Field(
        "",
        description="Where GIFs and videos are kept: `s3://bucket/prefix` (with the extra `s3`; credentials, region, "
        "endpoint from the `AWS_*` variables); empty = in `data_dir`, which all processes must share then.",
    )
    database_url: str = Field("", description="SQLAlchemy URL; empty = SQLite in `data_dir`.")
    admin_key: SecretStr | None = Field(
        None,
        description="An API key with the role admin, made known at start; as from `echo glm_$(openssl rand -hex 32)`.",
    )
    plugin_path: str = Field("", description="Folders with plugins of your own, separated as in `PATH`.")
    isolate: str = Field(
        "", description="Plugins that run in processes of their own, by comma; `all` = every one of them."
    )
    openenv: str = Field(
        "",
        description="Environments on OpenEnv servers: `id=url,id=url`, or JSON "
        '`{"id": {"url": ..., "deterministic": ..., "max_steps": ...}}`.',
    )
    env_timeout_s: float = Field(
        60, gt=0, description="Of one call to an environment, such as a step; a plugin's manifest may set another."
    )
    max_active_runs_per_owner: int = Field(1_000, ge=1, description="Queued and running runs of one owner.")
    max_sessions_per_owner: int = Field(1_000, ge=1, description="Open sessions of one owner.")
    max_session_ttl_s: float = Field(86_400, gt=0, description="Largest `ttl_s` that a session may ask for.")
    max_live_environments: int = Field(
        64, ge=1, description="Environments that one process keeps for sessions; others are made again when needed."
    )
    max_running_runs: int = Field(64, ge=1, description="Runs played at the same time by one process; the rest wait.")
    embedded_worker: bool = Field(False, description="With Postgres: let the API process carry out runs too.")
    heartbeat_s: float = Field(5, gt=0, description="Between two signs of life of a worker, or of a call of a session.")
    lost_after_s: float = Field(20, gt=0, description="Silence after which a worker or a call of a session is lost.")
    max_episodes: int = Field(1_000, ge=1, description="Largest `num_runs` that a request may ask for.")
    max_concurrency: int = Field(256, ge=1, description="Largest `concurrency` that a request may ask for.")
    max_episode_steps: int = Field(100_000, ge=1, description="An episode is truncated here at the latest.")
    max_body_bytes: int = Field(256 * 1024, ge=1024, description="Largest request body.")
    max_import_bytes: int = Field(64 * 1024**2, ge=1024, description="Largest archive that can be imported.")
    max_watchers: int = Field(1_000, ge=1, description="Event streams open at the same time.")
    llm_concurrency: int = Field(
        256, ge=1, description="Requests in flight at the same time, per backend; fewer while it answers 429."
    )
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

    @field_validator("admin_key")
    @classmethod
    def _hard_to_guess(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value():
            return None
        if not _ADMIN_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("must be glm_ and at least 32 more characters, such as: echo glm_$(openssl rand -hex 32)")
        return key

    @field_validator("artifacts_url")
    @classmethod
    def _reachable_store(cls, url: str) -> str:
        if url and not _S3_URL.fullmatch(url):
            raise ValueError("must be s3://bucket or s3://bucket/prefix, or empty for a folder in data_dir")
        if url and find_spec("obstore") is None:
            raise ValueError("S3 needs the extra s3: pip install 'gym-llm[s3]'")
        return url

    @field_validator("openenv")
    @classmethod
    def _readable_servers(cls, text: str) -> str:
        servers(text)  # A ConfigError is a ValueError, and names the id.
        return text

    @model_validator(mode="after")
    def _full_database_url(self) -> Self:
        if not self.database_url:
            self.database_url = f"sqlite+aiosqlite:///{self.data_dir / 'gym-llm.db'}"
        scheme, separator, rest = self.database_url.partition("://")
        self.database_url = _DRIVERS.get(scheme, scheme) + separator + rest
        if not self.database_url.startswith(("sqlite+aiosqlite://", "postgresql+psycopg://")):
            raise ValueError("database_url must start with sqlite:// or postgresql://")
        if self.heartbeat_s * 2 > self.lost_after_s:
            raise ValueError("lost_after_s must be at least twice heartbeat_s")
        return self
