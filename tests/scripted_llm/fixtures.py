"""The scripted server for tests: in a thread of its own, on a free port, over real sockets."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.scripted_llm.faults import parse_faults
from tests.scripted_llm.server import ScriptedLLM


class Serving:
    """A running server: where it is, and `llm`, its behaviour and memory."""

    def __init__(self, llm: ScriptedLLM, url: str) -> None:
        self.llm = llm
        self.url = url
        """Ollama's address; OpenAI's is `url + "/v1"`."""

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's protocol."""
        return f"{self.url}/v1"

    def disturb(self, faults: str) -> None:
        """From now on, do `faults` (see faults.py); what was asked before is forgotten."""
        self.llm.forget()
        self.llm.faults = parse_faults(faults)


@contextmanager
def serving(**behaviour: Any) -> Iterator[Serving]:
    """A server for the time of the block; `behaviour` is `ScriptedLLM`'s."""
    llm = ScriptedLLM(**behaviour)
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()

    async def serve() -> None:
        runner = web.AppRunner(llm.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            stop = asyncio.Event()
            running.set_result((asyncio.get_running_loop(), stop, runner.addresses[0][1]))
            await stop.wait()
        finally:
            await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="scripted-llm")
    thread.start()
    loop, stop, port = running.result(timeout=10)
    try:
        yield Serving(llm, f"http://127.0.0.1:{port}")
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@pytest.fixture
def scripted_llm() -> Iterator[Serving]:
    """An undisturbed server that answers at once; 429 asks for no wait."""
    with serving(retry_after=0.0) as server:
        yield server
