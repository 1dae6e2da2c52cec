"""What goes over the line between us and an isolated environment: JSON, and the bytes of arrays behind it.

No pickles: another version of Python or NumPy may read them wrongly. A message is the length of its JSON, the length of
its arrays (8 bytes each, big-endian), the JSON, the arrays.
"""

import json
import socket
import struct
from typing import Any

import numpy as np

HEADER = struct.Struct(">QQ")
MAX_BYTES = 64 * 1024 * 1024
"""Of one message: more than any picture or observation needs, less than what would hurt its reader."""
_PLAIN = (bool, int, float, str, type(None))


class WireError(Exception):
    """A value has no form that can cross, or a message is none."""


def encode(value: Any) -> bytes:
    """A message that holds `value`: plain values, arrays and NumPy numbers, in lists, tuples and dicts.

    Raises:
        WireError: something in it has no form that can cross.
    """
    arrays: list[bytes] = []
    text = json.dumps(_pack(value, arrays), separators=(",", ":")).encode()
    data = b"".join(arrays)
    if len(text) + len(data) > MAX_BYTES:
        raise WireError(f"{len(text) + len(data):,} bytes are more than the {MAX_BYTES:,} that one message may have")
    return HEADER.pack(len(text), len(data)) + text + data


def decode(text: bytes, data: bytes) -> Any:
    """The value that a message holds.

    Raises:
        WireError: it is no message of ours.
    """
    try:
        return _unpack(json.loads(text), _Reader(data))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise WireError(f"not a message: {error}") from error


def lengths(header: bytes) -> tuple[int, int]:
    """The length of the JSON and of the arrays, as the header tells them.

    Raises:
        WireError: they are more than a message may have.
    """
    text, data = HEADER.unpack(header)
    if text + data > MAX_BYTES:
        raise WireError(f"{text + data:,} bytes are more than the {MAX_BYTES:,} that one message may have")
    return text, data


def send(line: socket.socket, value: Any) -> None:
    """Send `value`.

    Raises:
        WireError: it cannot cross; nothing was sent.
        OSError: the line is cut.
    """
    line.sendall(encode(value))


def receive(line: socket.socket) -> Any:
    """The next value; waits for it.

    Raises:
        WireError: what came is no message.
        EOFError: the line is closed.
        OSError: the line is cut.
    """
    text, data = lengths(_exactly(line, HEADER.size))
    return decode(_exactly(line, text), _exactly(line, data))


def without_what_cannot_cross(values: dict[Any, Any]) -> dict[Any, Any]:
    """The entries of an `info` that can cross; the others are of no use to anybody but the environment."""
    kept = {}
    for name, value in values.items():
        try:
            _pack([name, value], [])
        except WireError:
            continue
        kept[name] = value
    return kept


def _exactly(line: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = line.recv(min(size - len(received), 1 << 20))
        if not chunk:
            raise EOFError("the line is closed")
        received += chunk
    return bytes(received)


def _pack(value: Any, arrays: list[bytes]) -> Any:
    # Lists stand for themselves; everything else that JSON has no word for is an object with one key, its kind.
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufcSUmM":
            raise WireError(f"an array of {value.dtype} has no form that can cross")
        if value.nbytes > MAX_BYTES:
            raise WireError(f"{value.nbytes:,} bytes are more than the {MAX_BYTES:,} that one message may have")
        arrays.append(np.ascontiguousarray(value).tobytes())
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {kind: [value.dtype.str, list(value.shape)]}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list):
        return [_pack(part, arrays) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [_pack(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_pack(name, arrays), _pack(part, arrays)] for name, part in value.items()]}
    raise WireError(f"a {type(value).__name__} has no form that can cross")


def _unpack(value: Any, reader: "_Reader") -> Any:
    if isinstance(value, list):
        return [_unpack(part, reader) for part in value]
    if not isinstance(value, dict):
        return value
    [(kind, content)] = value.items()
    if kind == "tuple":
        return tuple(_unpack(part, reader) for part in content)
    if kind == "dict":
        return {_unpack(name, reader): _unpack(part, reader) for name, part in content}
    array = reader.array(*content)
    return array if kind == "array" else array[()]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def array(self, kind: str, shape: list[int]) -> Any:
        dtype = np.dtype(kind)
        if dtype.hasobject:
            raise WireError("an array of objects has no form that can cross")
        count = int(np.prod(shape, dtype=np.int64))
        start, self._at = self._at, self._at + count * dtype.itemsize
        # A copy: what an environment gives may be changed by whoever receives it.
        return np.frombuffer(self._data[start : self._at], dtype, count).reshape(shape).copy()
