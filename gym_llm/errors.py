"""Every failure the library can raise, in one place.

`code` is the stable word that a run's `error.code` carries; the message is for people and never holds a secret.
"""


class GymLLMError(Exception):
    """Base of all gym-llm failures."""

    code = "internal"


class ConfigError(GymLLMError, ValueError):
    """A configuration field is missing, unknown, of the wrong type or out of range; the message names it."""

    code = "invalid_config"


class EnvError(GymLLMError):
    """The environment could not be made, raised, or returned something outside its own contract."""

    code = "env_error"


class NotDeterministicError(EnvError):
    """The environment did not repeat what is recorded of it, though seed and actions were the same."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"step {step}: not deterministic: its {what} is not the one recorded before")
        self.step = step
        self.what = what
        """`observation` or `reward`."""


class LLMError(GymLLMError):
    """The backend gave no usable answer: unreachable, refused, or still failing after every retry."""

    code = "llm_error"


class OutOfTimeError(GymLLMError):
    """The time allowed for the whole run or experiment is over."""

    code = "timeout"


class BudgetExceededError(GymLLMError):
    """The cost or the tokens allowed for the whole run or experiment are spent."""

    code = "budget_exceeded"


class InvalidReplyError(GymLLMError):
    """One reply of a model that does not hold a reflection and an allowed action. The agent handles it."""


class SpaceError(GymLLMError, ValueError):
    """A value does not belong to its space, or the space has no JSON form; the message names the field."""
