"""The isolated plugin `walls`."""

from collections.abc import Iterator

import pytest

import env_plugins
from tests.plugins_apart.loading import APART, loaded


@pytest.fixture(scope="module", autouse=True)
def _walls() -> Iterator[None]:
    with loaded(APART):
        assert env_plugins.plugins["walls"] == ("WallsLLM-v0", "WallsLLM-v1", "Wordless-v0"), env_plugins.failures
        yield
