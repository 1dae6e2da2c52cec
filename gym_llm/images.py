"""Pictures for models that can see: found in observations, written as PNG."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gym_llm.recording import contiguous, png

MIN_SIDE = 8
"""Pixels; a smaller array of bytes is rather a table than a picture."""
CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA."""


class Picture:
    """An image as it was when it was seen.

    Most pictures of a replayed episode are never sent, so that each becomes a PNG only when that is asked for.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = np.array(pixels)  # a copy: environments reuse their buffers

    @cached_property
    def png(self) -> bytes:
        """The picture as a PNG file, in colour; what RGBA makes transparent is shown as it is underneath."""
        rgb = np.repeat(self._pixels, 3, axis=2) if self._pixels.shape[2] == 1 else self._pixels[..., :3]
        return png(contiguous(rgb))


def is_image(value: Any) -> bool:
    """Whether `value` is a picture: (height, width, 1, 3 or 4) uint8, at least 8 x 8."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] in CHANNELS
        and min(value.shape[:2]) >= MIN_SIDE
    )


def name(number: int) -> str:
    """What stands in a message's text for its picture `number`, from 1."""
    return f"(picture {number})"


def take_out(observation: Any, pictures: list[Picture]) -> Any:
    """`observation` with the name of a picture in the place of each image, which is appended to `pictures`."""
    if is_image(observation):
        pictures.append(Picture(observation))
        return name(len(pictures))
    if isinstance(observation, Mapping):
        return {key: take_out(part, pictures) for key, part in observation.items()}
    if isinstance(observation, Sequence) and not isinstance(observation, str | bytes):
        return [take_out(part, pictures) for part in observation]
    return observation
