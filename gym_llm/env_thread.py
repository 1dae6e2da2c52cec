"""A thread for one environment, which may hang for ever without holding up anybody, the end of the process included."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class EnvThread:
    """Makes calls one after the other, in the order they were asked for.

    Its thread is a daemon, unlike those of an executor: Python does not wait for it when the process ends.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=self._work, name="env", daemon=True).start()

    async def run(self, call: Callable[[], T], timeout_s: float) -> T:
        """What `call` returns or raises. Cancelled or out of time, it goes on, and what comes of it is dropped.

        Raises:
            TimeoutError: it has taken longer than `timeout_s`, or those before it have.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._calls.put((call, loop, future))
        expiry = loop.call_later(timeout_s, _tell, future, None, TimeoutError())
        try:
            return await future
        finally:
            expiry.cancel()

    def stop(self) -> None:
        """End the thread after the calls that it has been given; does not wait for it."""
        self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            call, loop, future = work
            if future.cancelled():
                continue
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except BaseException as raised:  # noqa: BLE001 - it is raised again, where it was asked for
                error = raised
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits for it any more.
                loop.call_soon_threadsafe(_tell, future, result, error)
            del work, call, future, result, error


def _tell(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
