"""The configuration of an experiment: the YAML of the README, validated field by field."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from gym_llm.errors import ConfigError
from gym_llm.template import MAX_LENGTH, check_template

MAX_SEED = 2**31 - 1


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class AgentConfig(_Section):
    """Who decides, and what it may see."""

    backend: Literal["openai", "ollama", "baseline"] = Field("ollama", description="What produces decisions.")
    model: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        "llama3.1", description="A model of the backend; for `baseline`: `random`, `heuristic` or `sb3/NAME`."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(0.2, description="null = the model's own.")
    history: int = Field(10, ge=1, le=1000, description="Past steps in the window.")
    action_rate: int = Field(1, ge=1, le=1000, description="Ask for an action every n-th step, repeat it in between.")
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Limit of one reply, thoughts included; null = the model's own."
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None, description="`openai`: how long a reasoning model thinks; null = the model's own."
    )
    think: bool | Literal["low", "medium", "high"] | None = Field(
        None, description="`ollama`: whether, or how long, a model thinks before it answers; null = the model's own."
    )
    num_ctx: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="`ollama`: context in tokens; null = what the window can grow to, as far as the model goes."
    )
    keep_alive: Annotated[str, Field(pattern=r"^-?(0|(\d+(\.\d+)?(ns|us|ms|s|m|h))+)$")] | float | None = Field(
        None, description="`ollama`: how long the model stays loaded, as `10m` or in s; negative = forever."
    )
    sampling_seed: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Added to the episode's seed where sampling is seeded: another one, other luck.",
    )
    on_invalid: Literal["repeat", "random", "fail"] = Field(
        "repeat", description="What happens when a reply is still invalid after one repair turn."
    )
    strategy: Literal["reflect", "act", "plan", "memory"] = Field("reflect", description="How it thinks.")
    system_prompt: Annotated[str, Field(max_length=MAX_LENGTH), AfterValidator(check_template)] | None = Field(
        None,
        description="A template of your own, with the fields {goal}, {observation}, {actions} (needed), {reply} "
        "(needed) and {how_to_reflect}; a brace that stands for itself is written twice. null = the built-in one.",
    )
    vision: bool = Field(False, description="Send image fields of the observation as pictures.")
    image_history: int = Field(1, ge=1, le=100, description="Newest turns that keep their pictures.")
    frames: bool = Field(False, description="Send the rendered frame beside the text; needs `vision`.")

    @model_validator(mode="after")
    def _window_covers_the_action(self) -> Self:
        if self.action_rate > self.history:
            raise ValueError("action_rate must be less than or equal to history")
        return self

    @model_validator(mode="after")
    def _frames_are_seen(self) -> Self:
        if self.frames and not self.vision:
            raise ValueError("frames needs vision, of a model that can see")
        return self

    @model_validator(mode="after")
    def _settings_have_their_backend(self) -> Self:
        for backend, fields in {"openai": ("reasoning_effort",), "ollama": ("think", "num_ctx", "keep_alive")}.items():
            for field in fields:
                if getattr(self, field) is not None and self.backend != backend:
                    raise ValueError(f"{field} is for the backend {backend} only")
        return self


class EnvironmentConfig(_Section):
    """Which environment, made how."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="A registered id.")
    kwargs: dict[str, Any] | None = Field(None, description="Extra arguments of the environment.")


class ExperimentConfig(_Section):
    """How many episodes, from which seed, and what is kept of them."""

    parent: str = Field("experiments", description="Folder that experiments are written into; the service ignores it.")
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")] = Field(
        "experiment", description="Name of the experiment."
    )
    use_datetime: bool = Field(False, description="Append the date and time, so that no experiment overwrites another.")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Of the first episode; each next episode adds 1.")
    save_gif: bool = Field(False, description="A GIF of each episode.")
    gif_fps: int = Field(30, ge=1, le=100, description="A GIF delay is a multiple of 10 ms: 30 becomes 33.3.")
    num_runs: int = Field(1, ge=1, le=10_000, description="Number of episodes.")
    verbose: bool = Field(False, description="Show progress; the service ignores it.")
    concurrency: int = Field(1, ge=1, le=1024, description="Episodes played at the same time.")
    max_steps: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Truncate an episode earlier than the environment does."
    )
    caption: bool = Field(False, description="Write frame, step, action and reflection under each frame.")
    save_video: bool = Field(False, description="An MP4 beside the GIF.")
    queue: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = Field(
        "runs", description="The service's workers that may play it, by the queue they take from."
    )
    priority: int = Field(0, ge=-100, le=100, description="In the service: a waiting run with a higher one goes first.")
    timeout_s: Annotated[float, Field(gt=0)] | None = Field(None, description="Time allowed for the whole run, in s.")
    max_cost_usd: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Cost allowed for the whole run, at list prices; a model without a known price is an error."
    )
    max_total_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Prompt and completion tokens allowed for the whole run."
    )

    @model_validator(mode="after")
    def _every_seed_fits(self) -> Self:
        if self.seed + self.num_runs - 1 > MAX_SEED:
            raise ValueError(f"seed + num_runs must not go beyond {MAX_SEED}")
        return self


class Config(_Section):
    """One experiment: an agent in an environment for `num_runs` episodes."""

    agent: AgentConfig = Field(default_factory=AgentConfig)
    environment: EnvironmentConfig
    experiment: ExperimentConfig = Field(default_factory=ExperimentConfig)


Section = TypeVar("Section", bound=BaseModel)


def validate(section: type[Section], values: Any, where: str = "") -> Section:
    """`values` as a checked `section`.

    Raises:
        ConfigError: naming each wrong field, and never repeating what it held.
    """
    if isinstance(values, section):
        return values
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(_problems(error, where))) from None


def _problems(error: ValidationError, where: str) -> list[str]:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in (where, *problem["loc"]) if part != "")
        problems.append(f"{field or 'configuration'}: {problem['msg'].removeprefix('Value error, ')}")
    return problems


def parse_config(path: Path | str) -> dict[str, Any]:
    """Read and check a YAML (or JSON) file; the result is a plain dict with every default filled in.

    Raises:
        ConfigError: the file is missing or not YAML, or a field is wrong; the message names it.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Config file {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"Config file {path} is not valid YAML: {error}") from error
    return validate(Config, values).model_dump()
