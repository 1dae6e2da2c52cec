"""What crosses the line comes out as it went in, and what cannot cross says so."""

import socket
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gym_llm.isolation import wire
from gym_llm.isolation.wire import WireError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ARRAYS = hnp.arrays(
    hnp.integer_dtypes() | hnp.unsigned_integer_dtypes() | hnp.floating_dtypes(endianness="?") | hnp.boolean_dtypes(),
    hnp.array_shapes(min_dims=0, min_side=0),
)
VALUES = st.recursive(
    PLAIN | ARRAYS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


def crossed(value: Any) -> Any:
    message = wire.encode(value)
    text, _ = wire.lengths(message[: wire.HEADER.size])
    body = message[wire.HEADER.size :]
    return wire.decode(body[:text], body[text:])


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return type(other) is np.ndarray and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    return type(one) is type(other) and bool(one == other)


@given(VALUES)
def test_values_cross(value: Any) -> None:
    assert same(value, crossed(value))


@pytest.mark.parametrize("number", [np.float32(0.1), np.int64(-3), np.bool_(True), np.uint8(7)])
def test_numbers_of_numpy_stay_what_they_are(number: Any) -> None:
    assert same(number, crossed(number))


def test_what_comes_out_can_be_changed() -> None:
    array = crossed(np.zeros(3))
    array[1] = 5
    assert array[1] == 5


@pytest.mark.parametrize("value", [object(), {"deep": [{1, 2}]}, np.array([object()]), lambda: 1])
def test_what_has_no_form_says_so(value: Any) -> None:
    with pytest.raises(WireError, match="no form that can cross"):
        wire.encode(value)


def test_what_is_too_large_is_not_sent() -> None:
    with pytest.raises(WireError, match="more than the 67,108,864"):
        wire.encode(np.zeros(2**24))


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"{", b""),
        (b'{"array": ["<f8", [3]]}', b"1234"),
        (b'{"array": ["<f8", [99999999999]]}', b""),
        (b'{"array": ["O", [1]]}', b"12345678"),
        (b'{"what": 1}', b""),
        (b'{"dict": 3}', b""),
        (b"{}", b""),
        (b'{"array": ["no such type", []]}', b""),
    ],
)
def test_nonsense_is_no_message(text: bytes, data: bytes) -> None:
    with pytest.raises(WireError):
        wire.decode(text, data)


def test_a_length_is_not_believed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack(">QQ", 2**60, 0))
        with pytest.raises(WireError, match="more than"):
            wire.receive(ours)


def test_an_info_keeps_what_can_cross() -> None:
    assert wire.without_what_cannot_cross({"a": 1, "b": object(), "c": [np.int8(3)]}) == {"a": 1, "c": [np.int8(3)]}
