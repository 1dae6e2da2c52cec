"""Environments that misbehave, for the service's tests only."""

from collections.abc import Iterator

import pytest

from tests.plugins_apart.loading import loaded
from tests.served import PLUGINS


@pytest.fixture(scope="module", autouse=True)
def _oddities() -> Iterator[None]:
    with loaded(PLUGINS):
        yield
