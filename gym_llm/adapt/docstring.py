"""What an environment's docstring tells of it: sections, tables and numbered lists, in Markdown or reStructuredText.

Gymnasium and most packages around it document environments in one form: sections such as "Action Space" and "Rewards",
with a table `| Num | Action | ... |` or a list `- 0: push left`.
"""

import inspect
import re
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

Row = dict[str, str]

_HEADING = re.compile(r"^#{1,6}\s+(.+?)[\s:#]*$")
_UNDERLINE = re.compile(r"^([=\-~^*])\1{2,}$")
_FENCE = re.compile(r"^\s*(```|'''|~~~)")
_NUMBERED = re.compile(r"^\s*[-*]?\s*`?(\d+)`?\s*[:.)=-]\s+(.+)$")
_CUT = "\0"
"""Stands for a code block or a table."""
_LEADS_TO_CUT = re.compile(rf"(?:^|(?<=[.!?] ))[^.!?\n]*:\n+{_CUT}", re.MULTILINE)
_BULLET = re.compile(r"^\s*([-*+]|\d+[.)])\s+")
_MARKUP = [
    (re.compile(r"`([^`<]+?)\s*<[^`>]+>`_+"), r"\1"),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[\s*<a [^>]*>[^<]*</a>\s*\]"), ""),
    (re.compile(r"<sup>(.*?)</sup>"), r"^\1"),
    (re.compile(r"<sub>(.*?)</sub>"), r"_\1"),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), ""),
    (re.compile(r":[a-z]+:`([^`]+)`"), r"\1"),
    (re.compile(r"`+([^`]*)`+"), r"\1"),
    (re.compile(r"(\*\*\*|\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"^\s*\*(?=[^\s*])(.+)(?<=[^\s*])\*(?=[,.]?\s*$)", re.MULTILINE), r"\1"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"\$([^$\n]+)\$"), r"\1"),
    (re.compile(r"\\(mathcal|text|mathbb|mathrm)\b"), ""),
]


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its heading in lower case (empty for what comes before the first), its text and its tables."""

    heading: str
    lines: list[str] = field(default_factory=list)
    tables: list[list[Row]] = field(default_factory=list)

    def text(self) -> str:
        """The text without markup and tables; each paragraph and each item of a list on a line of its own."""
        told = _LEADS_TO_CUT.sub("", clean("\n".join(self.lines)))
        return "\n".join(line.strip() for line in told.replace(_CUT, "").splitlines() if line.strip())

    def lists(self) -> list[dict[int, str]]:
        """The numbered lists: number -> text. A new list begins where numbers start again."""
        found: list[dict[int, str]] = []
        for line in self.text().splitlines():
            if item := _NUMBERED.match(line):
                number = int(item[1])
                if not found or number != max(found[-1]) + 1:
                    found.append({})
                found[-1][number] = item[2].strip()
        return found


def docstring(env: gym.Env[Any, Any]) -> str:
    """The docstring of the environment inside all wrappers, or of the nearest class that it is made from."""
    for layer in type(env.unwrapped).__mro__:
        if layer is gym.Env or not issubclass(layer, gym.Env):
            continue
        if layer.__doc__:
            return inspect.cleandoc(layer.__doc__)
    return ""


def sections(text: str) -> list[Section]:
    """The sections of a docstring, in order. Code blocks are left out."""
    found = [Section("")]
    fenced = False
    rows: list[str] = []
    lines = [*inspect.cleandoc(text).splitlines(), ""]
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        bare = line.strip()
        if rows and (fenced or not _is_row(bare)):
            table = _table(rows)
            if table:
                found[-1].tables.append(table)
                found[-1].lines.append(_CUT)
            else:
                found[-1].lines.extend(rows)
            rows = []
        if not found[-1].lines and _UNDERLINE.match(bare):
            continue
        if _FENCE.match(line):
            fenced = not fenced
            found[-1].lines.append(_CUT)
        elif fenced:
            continue
        elif _is_row(bare):
            rows.append(bare)
        elif heading := _heading(line, below.strip()):
            found.append(Section(heading))
        else:
            found[-1].lines.append(line)
    return found


def _is_row(line: str) -> bool:
    return len(line) > 1 and line.startswith("|") and line.endswith("|")


def _heading(line: str, below: str) -> str | None:
    marked = _HEADING.match(line.strip())
    underlined = _UNDERLINE.match(below) and len(below) >= len(line.strip()) - 1 and not _BULLET.match(line)
    if marked or (underlined and 0 < len(line.strip()) < 60):
        return clean(marked[1] if marked else line).strip(" :").lower()
    return None


def _table(rows: list[str]) -> list[Row] | None:
    # A map drawn with bars is no table: a table has a line of dashes below its header.
    if len(rows) < 3 or not re.fullmatch(r"[\s|:\-]*-[\s|:\-]*", rows[1]):
        return None
    names = [clean(name).lower() for name in _cells(rows[0])]
    return [dict(zip(names, map(clean, _cells(row)), strict=False)) for row in rows[2:]]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row[1:-1])]


def clean(text: str) -> str:
    """`text` without markup, each paragraph and each item of a list on a line of its own."""
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    lines: list[str] = []
    flows = False
    for line in text.splitlines():
        quoted = line.strip().startswith(">")
        words = line.strip().lstrip(">").strip()
        drawn = bool(re.match(r"^[|+][\s|+:\-\w]*[|+]$", words)) and not quoted
        starts = bool(_BULLET.match(line)) or drawn or words == _CUT
        if not words:
            flows = False
        elif flows and not starts:
            lines[-1] += f" {words}"
        else:
            lines.append(words)
            flows = not drawn and words != _CUT
    return "\n".join(lines)
