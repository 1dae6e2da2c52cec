"""The goal of an environment, out of its docstring and its registration."""

import re
from typing import Any

from gymnasium.envs.registration import EnvSpec

from gym_llm.adapt.docstring import Section

LONGEST = 4000
"""Characters of a goal."""
CUT = " ..."
CHAPTERS = {
    "": ("", "description", "mission"),
    "Observations": ("observation",),
    "Actions": ("action",),
    "Dynamics": ("dynamics",),
    "Rewards": ("reward",),
    "Start": ("starting", "initial"),
    "End": ("episode", "termination", "truncation"),
}
"""Chapter -> what the headings of its sections hold. A section belongs to the first that fits."""

_ARRAY = re.compile(r"\ban? (?:np\.|numpy\.)?ndarray (?:with|of) shape \(([\d, ]*)\)")
_ACTION_SHAPE = re.compile(r"action shape is \(1,\) in the range \{[\d, ]*\}")
_NUMBERED = re.compile(r"^[-*]?\s*\d+\s*[:.)]")


def goal(spec: EnvSpec | None, told: list[Section], *, listed: bool) -> str:
    """The goal, how rewards are made up and how episodes end, in at most `LONGEST` characters.

    Args:
        spec: how the environment is registered, where it is.
        told: the sections of its docstring.
        listed: whether its actions are listed one by one elsewhere.
    """
    chapters = {title: _chapter(told, title, listed) for title in CHAPTERS}
    texts = [f"{title}: {text}" if title else text for title, text in chapters.items() if text]
    name = f"the Gymnasium environment {spec.id}" if spec is not None else "this environment"
    texts.insert(0, f"Act in {name} so that the rewards of the episode add up to as much as possible.")
    if len(texts) == 1:
        texts.append(
            "It comes without a description: find out what each action does by comparing observations and rewards "
            "from turn to turn, try each of them early on, and keep to what earns most."
        )
    last = "\n".join([*_arguments(spec, told), *_limits(spec)])
    return "\n\n".join(_shortened([*texts, last] if last else texts))


def _chapter(told: list[Section], title: str, listed: bool) -> str:
    texts = [section.text() for section in told if _chapter_of(section.heading) == title]
    lines = "\n".join(text for text in texts if text).splitlines()
    if title == "Actions" and listed:
        lines = [line for line in lines if not _NUMBERED.match(line) and not line.endswith(":")]
    text = _ARRAY.sub(lambda found: "a value" if found[1].strip(" ,") == "1" else "a set of numbers", "\n".join(lines))
    return _ACTION_SHAPE.sub("action is a whole number", text)


def _chapter_of(heading: str) -> str | None:
    for title, words in CHAPTERS.items():
        if heading in words or any(word and word in heading for word in words):
            return None if "argument" in heading else title
    return None


def _arguments(spec: EnvSpec | None, told: list[Section]) -> list[str]:
    # What this registration chose, and what the docstring says about the choice.
    chosen = {name: value for name, value in (spec.kwargs if spec else {}).items() if name != "render_mode"}
    lines = [line for section in told if "argument" in section.heading for line in section.text().splitlines()]
    rows = [row for section in told for table in section.tables for row in table if "parameter" in row]
    described = {row["parameter"]: row.get("description", "") for row in rows}
    about = {name: described.get(name) or _about(name, lines) for name in chosen}
    return [f"Here {name} = {value!r:.200}{about[name] and f': {about[name]}'}" for name, value in chosen.items()]


def _about(name: str, lines: list[str]) -> str:
    item = re.compile(rf"^(?:[-*+]\s+)?{re.escape(name)}\b(?:=[^\s:,]+)?:?\s+[-:]?\s*(.*)$")
    return next((match[1] for line in lines if (match := item.match(line))), "")


def _limits(spec: EnvSpec | None) -> list[str]:
    limits: list[Any] = []
    if spec is not None and spec.max_episode_steps is not None:
        limits.append(f"An episode is cut off after {spec.max_episode_steps} steps.")
    if spec is not None and spec.reward_threshold is not None:
        limits.append(f"A total reward of {spec.reward_threshold:g} or more counts as success.")
    return limits


def _shortened(texts: list[str]) -> list[str]:
    # The longest text gives way first: what earns rewards and ends episodes is said in few words.
    while (excess := len("\n\n".join(texts)) - LONGEST) > 0:
        longest = max(range(len(texts)), key=lambda index: len(texts[index]))
        cut = texts[longest][: max(0, len(texts[longest]) - excess - len(CUT))]
        end = max(cut.rfind(". ") + 1, cut.rfind("\n"))
        texts[longest] = cut[: end if end > 0 else len(cut)].rstrip() + CUT
    return texts
