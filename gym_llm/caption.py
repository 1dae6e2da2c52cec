"""A frame with what the agent thought under it: one picture, fit for a GIF, a video or a slide."""

import math
import unicodedata
from bisect import bisect_left
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gym_llm.recording import Frame, check_frame, contiguous

_BACKGROUND = (17, 20, 28)
_EDGE = (52, 60, 78)
_TITLE = (247, 249, 252)
_TEXT = (176, 186, 204)
_READABLE_WIDTH = 480
_TALLEST = 1080
_ELLIPSIS = "…"
_PLAIN = {
    **dict.fromkeys("‐‑‒–—―−", "-"), **dict.fromkeys("‘’‚′", "'"), **dict.fromkeys("“”„″", '"'),
    "→": "->", "←": "<-", "⇒": "=>", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "×": "x", "•": "·",
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
}  # fmt: skip
"""Characters that the bundled font lacks and Unicode does not decompose, in plain ones."""


class Captioner:
    """Puts a panel with a title and a text under each frame; every picture of one `Captioner` has the same size."""

    def __init__(self, frame_shape: tuple[int, ...], *, lines: int = 4, font: Path | None = None) -> None:
        """
        Args:
            frame_shape: (height, width, 3) of the frames to come. Frames too narrow to read a line under them are
                enlarged by a whole factor, and centred if that is still not enough.
            lines: lines of text in the panel, besides the title.
            font: a TrueType or OpenType file. The default is the font inside Pillow, which has plain Latin letters
                only: accents are dropped, other scripts become "?".

        Raises:
            ValueError: not a shape of frames, or `lines` is not at least 1.
            OSError: `font` cannot be read.
        """
        if len(frame_shape) != 3 or frame_shape[2] != 3 or min(frame_shape) < 1 or lines < 1:
            raise ValueError(f"no caption of {lines} lines under frames of shape {frame_shape}")
        height, width, _ = frame_shape
        self._frame_shape = frame_shape
        self._factor = max(1, min(math.ceil(_READABLE_WIDTH / width), _TALLEST // height))
        self._width = max(_READABLE_WIDTH, width * self._factor)
        size = min(40, max(14, self._width // 36))
        self._font = ImageFont.truetype(font, size) if font else ImageFont.load_default(size)
        self._missing = bytes(self._font.getmask("\uffff"))
        self._plain: dict[str, str] = {}
        self._margin, self._line, self._lines = size, round(size * 1.4), lines
        top = height * self._factor
        self._title_top, self._text_top = top + self._margin, top + self._margin + round(self._line * 1.2)
        self._picture = np.empty((self._text_top + lines * self._line + self._margin, self._width, 3), np.uint8)
        self._picture[:] = _BACKGROUND
        self._picture[top : top + max(1, size // 8)] = _EDGE
        left = (self._width - width * self._factor) // 2
        self._window = self._picture[:top, left : left + width * self._factor]
        self._title: str | None = None
        self._text: str | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3) of the pictures."""
        height, width, _ = self._picture.shape
        return height, width, 3

    def draw(self, frame: Frame, *, title: str, text: str) -> Frame:
        """A new picture: `frame` over `title` (one line) and `text` (wrapped); what does not fit ends in an ellipsis.

        Raises:
            ValueError: `frame` is not uint8 of the shape announced.
        """
        check_frame(frame)
        if frame.shape != self._frame_shape:
            raise ValueError(f"a frame of shape {frame.shape} where {self._frame_shape} was announced")
        if title != self._title:
            self._write(self._title_top, title, 1, _TITLE)
            self._title = title
        if text != self._text:
            self._write(self._text_top, text, self._lines, _TEXT)
            self._text = text
        pixels = contiguous(frame)
        self._window[:] = pixels if self._factor == 1 else pixels.repeat(self._factor, 0).repeat(self._factor, 1)
        return self._picture.copy()

    def _write(self, top: int, text: str, lines: int, colour: tuple[int, int, int]) -> None:
        area = Image.new("RGB", (self._width, lines * self._line), _BACKGROUND)
        pen = ImageDraw.Draw(area)
        for number, line in enumerate(self._wrap(text, lines)):
            pen.text((self._margin, number * self._line), line, colour, self._font)
        self._picture[top : top + lines * self._line] = np.asarray(area)

    def _wrap(self, text: str, lines: int) -> list[str]:
        """At most `lines` lines that fit the panel; the last ends in an ellipsis when there was more."""
        wrapped: list[str] = []
        line = ""
        for word in text.split():
            plain = "".join(map(self._readable, word))
            longer = f"{line} {plain}" if line and plain else line + plain
            while not self._fits(longer):
                if not line:  # a word wider than the panel is broken where it has to be
                    line = self._cut(longer)
                wrapped.append(line)
                if len(wrapped) == lines:
                    wrapped[-1] = self._cut(line, _ELLIPSIS) + _ELLIPSIS
                    return wrapped
                longer = longer[len(line) :].lstrip()
                line = ""
            line = longer
        return [*wrapped, line]

    def _cut(self, text: str, ending: str = "") -> str:
        """The longest beginning of `text`, of one character at least, that fits with `ending` behind it."""
        ends = range(1, len(text) + 1)
        fitting = bisect_left(ends, True, key=lambda end: not self._fits(text[:end] + ending))
        return text[: max(1, fitting)].rstrip()

    def _fits(self, line: str) -> bool:
        return self._font.getlength(line) <= self._width - 2 * self._margin

    def _readable(self, character: str) -> str:
        """`character` if the font has it, else the nearest that it has, else "?" (nothing for symbols and controls)."""
        if character not in self._plain:
            self._plain[character] = character if self._has(character) else self._nearest(character)
        return self._plain[character]

    def _nearest(self, character: str) -> str:
        plain = _PLAIN.get(character) or unicodedata.normalize("NFKD", character)
        return "".join(filter(self._has, plain)) or ("?" if unicodedata.category(character)[0] in "LN" else "")

    def _has(self, character: str) -> bool:
        return unicodedata.category(character)[0] not in "CM" and bytes(self._font.getmask(character)) != self._missing
