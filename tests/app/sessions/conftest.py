"""Services for sessions: any number of them on one database, as processes behind one address would be."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from app.bootstrap import Service, build
from app.main import create_app
from app.settings import Settings
from gym_llm.backends import BaselineBackend
from tests.app.running import Json
from tests.fakes import FakeBackend

Serve = Callable[..., Awaitable["Served"]]

DEFINITION: Json = {
    "observation_schema": {"distance": "to the wall, in m", "battery": {"description": "charge", "range": "0 to 1"}},
    "action_schema": {"0": "Stop.", "1": "Drive ahead.", "2": "Turn."},
    "goal_description": "Come close to the wall.",
}


class Served:
    """A service, its client, and the backend that its agents ask."""

    def __init__(self, service: Service, client: httpx.AsyncClient, backend: FakeBackend) -> None:
        self.service = service
        self.client = client
        self.backend = backend

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/sessions{path}", json=body)

    async def get(self, path: str) -> Any:
        answer = await self.client.get(f"/sessions{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def with_agent(self, definition: Json | None = None, **fields: Any) -> str:
        """A session with an agent; `fields` go to the agent, but for the session's own."""
        own = {name: fields.pop(name) for name in ("seed", "ttl_s") if name in fields}
        agent = {"backend": "openai", "model": "fake", **fields}
        answer = await self.post("", agent=agent, definition=definition or DEFINITION, **own)
        assert answer.status_code == 201, answer.text
        return f"/{answer.json()['id']}"

    async def with_environment(self, name: str = "Counting-v0", kwargs: Json | None = None, **fields: Any) -> str:
        """A session with an environment."""
        answer = await self.post("", environment={"name": name, "kwargs": kwargs}, **fields)
        assert answer.status_code == 201, answer.text
        return f"/{answer.json()['id']}"


@pytest.fixture
async def serve_here(settings: Settings) -> AsyncIterator[Serve]:
    """Starts a service in this process, on the test's database; `stop` ends it."""
    async with AsyncExitStack() as stack:

        async def start(answers: Any = (), **changed: Any) -> Served:
            backend = FakeBackend(answers)
            service = build(settings.model_copy(update=changed), {"openai": backend, "baseline": BaselineBackend()})
            await stack.enter_async_context(service.running())
            transport = httpx.ASGITransport(create_app(service=service), raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=90)
            return Served(service, await stack.enter_async_context(client), backend)

        yield start
