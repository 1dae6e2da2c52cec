"""Pictures in observations."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gym_llm.images import Picture, is_image, take_out


def pixels(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pixels(8, 8, 3), True),
        (pixels(96, 60, 1), True),
        (pixels(10, 9, 4), True),
        (pixels(7, 80, 3), False),
        (pixels(80, 7, 3), False),
        (pixels(9, 9, 2), False),
        (pixels(9, 9), False),
        (pixels(2, 9, 9, 3), False),
        (pixels(9, 9, 3, dtype=np.float32), False),
        ([[1]], False),
        ("text", False),
    ],
)
def test_what_an_image_is(value: Any, expected: bool) -> None:
    assert is_image(value) == expected


def test_images_are_taken_out_wherever_they_are() -> None:
    pictures: list[Picture] = []
    table = pixels(2, 3, 3)
    observation = {"view": pixels(8, 8, 3), "parts": (pixels(9, 9, 1), {"x": 1, "word": "w"}), "table": table}
    left = take_out(observation, pictures)
    assert left == {"view": "(picture 1)", "parts": ["(picture 2)", {"x": 1, "word": "w"}], "table": table}
    assert len(pictures) == 2
    assert isinstance(observation["view"], np.ndarray)
    assert take_out(pixels(8, 8, 3), pictures) == "(picture 3)"


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_is_a_png_of_what_was_seen_then(channels: int) -> None:
    buffer = pixels(9, 12, channels)
    expected = np.repeat(buffer, 3, axis=2) if channels == 1 else buffer[..., :3].copy()
    picture = Picture(buffer)
    buffer[:] = 0
    with Image.open(io.BytesIO(picture.png)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(image), expected)
    assert picture.png is picture.png
