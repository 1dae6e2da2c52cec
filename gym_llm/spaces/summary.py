"""Large arrays, such as pictures, in few numbers: what is stored of them, and what a model without eyes is shown."""

import hashlib
import math
from typing import Any

import numpy as np

from gym_llm.errors import SpaceError

Array = np.ndarray[Any, np.dtype[Any]]

LARGE = 256
"""An array with more numbers than this is summarised where it is observed, and refused where it is an action."""
CELLS = 64
"""Means in a summary, per colour."""
COLOURS = 4
"""The first or the last axis of a picture is at most this long."""
DIGITS = 3
"""Significant ones, of the numbers in a summary."""


def is_large(shape: tuple[int, ...] | None) -> bool:
    """Whether arrays of this shape are summarised."""
    return shape is not None and math.prod(shape) > LARGE


def summarise(array: Array, field: str) -> dict[str, Any]:
    """A large array as JSON of at most 1.5 KB: means over blocks, smallest and largest number, and a fingerprint.

    The fingerprint covers every byte, so summaries are equal exactly where arrays are.

    Raises:
        SpaceError: it holds NaN or an infinity.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise SpaceError(f"{field} holds NaN or an infinity")
    means = _block_means(array)
    # Fractions of a colour are a waste of tokens; of a flag, they are all there is.
    whole = array.dtype.kind in "iu" and means.max() >= 100
    low_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "mean": _listed(means.round() if whole else means),
        "min": _short(array.min().item()),
        "max": _short(array.max().item()),
        "fingerprint": hashlib.blake2b(low_endian.tobytes(), digest_size=12).hexdigest(),
    }


def mean_shape(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """Of the means in the summary of such an array."""
    return tuple(blocks for blocks in _blocks(shape, dtype) if blocks > 1)


def summary_schema(shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, Any]:
    """The JSON Schema of the summaries of such arrays."""
    mean: dict[str, Any] = {"type": "number"}
    for length in reversed(mean_shape(shape, dtype)):
        mean = {"type": "array", "items": mean, "minItems": length, "maxItems": length}
    lengths = {"type": "array", "items": {"type": "integer"}, "minItems": len(shape), "maxItems": len(shape)}
    properties = {
        "shape": lengths,
        "dtype": {"type": "string"},
        "mean": mean,
        "min": {"type": "number"},
        "max": {"type": "number"},
        "fingerprint": {"type": "string"},
    }
    return {
        "type": "object",
        "description": "Summary of an array of this shape; mean: over equal blocks of it.",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def colour_axis(shape: tuple[int, ...]) -> int | None:
    """The axis of a picture that holds its colours, or the frames of a stack of pictures."""
    if len(shape) == 3 and shape[2] <= COLOURS < min(shape[0], shape[1]):
        return 2
    if len(shape) == 3 and shape[0] <= COLOURS < min(shape[1], shape[2]):
        return 0
    return None


def _blocks(shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[int]:
    # How many blocks each axis is cut into. Colours stay apart where their means are short to write.
    colours = colour_axis(shape)
    axes = len(shape) - (colours is not None)
    most = max(blocks for blocks in range(1, CELLS + 1) if blocks**axes <= CELLS)
    apart = dtype.itemsize == 1
    return [(length if apart else 1) if axis == colours else min(most, length) for axis, length in enumerate(shape)]


def _block_means(array: Array) -> Array:
    exact = array.dtype.kind in "biu" and array.dtype.itemsize <= 4
    sums: Array = array.astype(np.int64 if exact else np.float64)
    counts: Array = np.ones((), np.int64)
    for axis, blocks in enumerate(_blocks(array.shape, array.dtype)):
        edges = np.arange(blocks + 1) * array.shape[axis] // blocks
        sums = np.add.reduceat(sums, edges[:-1], axis=axis)
        counts = np.multiply.outer(counts, np.diff(edges))
    means = sums / counts
    return means.reshape(mean_shape(array.shape, array.dtype))


def _listed(means: Any) -> Any:
    values = means.tolist() if isinstance(means, np.ndarray) else means
    return [_listed(value) for value in values] if isinstance(values, list) else _short(values)


def _short(number: float) -> float:
    if isinstance(number, int):
        return int(number)
    rounded = float(f"{number:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
