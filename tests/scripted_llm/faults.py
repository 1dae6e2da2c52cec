"""Disturbances, as a function of the request: which step it is for, and how often that step was asked before."""

from collections.abc import Mapping
from dataclasses import dataclass

HTTP = ("429", "429-date", "500", "503", "401", "403", "404", "quota", "no-images")
CONNECTION = ("hang", "drop", "cut", "garbage")
TEXT = ("invalid-json", "out-of-range", "length", "broken-off", "empty", "fenced", "declined", "thought-cut")
REFUSED = "refuse-"
"""Before the name of a parameter: HTTP 400 for as long as a request carries it."""

ALWAYS = -1


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how often in a row; `ALWAYS` = every time."""

    kind: str
    times: int = 1

    def strikes(self, asked_before: int) -> bool:
        """Whether it hits a request whose observation was already sent `asked_before` times."""
        return self.times == ALWAYS or asked_before < self.times


Faults = Mapping[int, Fault]
"""By step; 0 stands for every step that is not named."""


def parse_faults(text: str) -> Faults:
    """Read `STEP=KIND[:TIMES]` parts, comma-separated; STEP may be `*` and TIMES `always`.

    Raises:
        ValueError: naming the part that is wrong.
    """
    return dict(_parse(part.strip()) for part in text.split(",") if part.strip())


def _parse(part: str) -> tuple[int, Fault]:
    step, _, rest = part.partition("=")
    kind, _, times = rest.partition(":")
    known = kind in (*HTTP, *CONNECTION, *TEXT) or kind.startswith(REFUSED)
    if not known or not (step == "*" or step.isdigit()) or not (times in ("", "always") or times.isdigit()):
        raise ValueError(f"not a fault: {part!r} (STEP=KIND[:TIMES] with KIND one of {HTTP + CONNECTION + TEXT})")
    if times == "always" or (not times and kind.startswith(REFUSED)):
        return 0 if step == "*" else int(step), Fault(kind, ALWAYS)
    return 0 if step == "*" else int(step), Fault(kind, int(times or 1))
