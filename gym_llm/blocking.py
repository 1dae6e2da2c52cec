"""The door from synchronous code into the asynchronous core, usable in scripts and in notebooks alike."""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    # A thread of its own: a notebook already runs a loop in the calling thread.
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="gym-llm", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end and return its result; Ctrl-C cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise
