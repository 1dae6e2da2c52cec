"""What a check finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and how to mend it."""

    severity: Literal["error", "warning"]
    """An error breaks runs or misleads models; a warning makes them worse than they could be."""
    check: str
    problem: str
    advice: str
