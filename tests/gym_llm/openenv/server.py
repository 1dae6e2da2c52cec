"""A server that speaks the OpenEnv protocol as openenv-core 0.3 does, in a thread: what tests ask, and every fault.

Shapes and paths are those of openenv-core's `http_server.py`: an episode for each WebSocket `/ws`; over plain HTTP one
environment for all (servers written by hand) as far as `websocket=False`.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

ACTION = {
    "title": "GuessAction",
    "description": "A guess.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "metadata": {"type": "object", "additionalProperties": True},
        "guess": {"type": "integer", "minimum": 0, "maximum": 9, "description": "The number you guess."},
        "note": {"type": "string", "pattern": "^[a-z]*$", "default": ""},
    },
    "required": ["guess"],
}
OBSERVATION = {
    "title": "GuessObservation",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "done": {"type": "boolean"},
        "reward": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "metadata": {"type": "object"},
        "hint": {"type": "string", "enum": ["higher", "lower", "right", "none"], "description": "Where it lies."},
        "guesses": {"type": "integer", "title": "Guesses"},
    },
    "required": ["hint", "guesses"],
}


class Guessing:
    """Guess the number that the seed has chosen, in five guesses."""

    def reset(self, seed: int | None = None) -> dict[str, Any]:
        self.secret, self.guesses = (seed or 0) % 10, 0
        return self.told("none", None, done=False)

    def step(self, action: dict[str, Any]) -> dict[str, Any]:
        self.guesses += 1
        guess = action["guess"]
        right = guess == self.secret
        hint = "right" if right else "higher" if guess < self.secret else "lower"
        return self.told(hint, 1.0 if right else -0.1, done=right or self.guesses == 5)

    def told(self, hint: str, reward: float | None, *, done: bool) -> dict[str, Any]:
        return {"observation": {"hint": hint, "guesses": self.guesses}, "reward": reward, "done": done}


@dataclass
class Served:
    """A server, how it behaves, and what it was asked."""

    url: str = ""
    websocket: bool = True
    schema: bool = True
    fault: str = ""
    sessions: int = 0
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()
        shared = Guessing()

        @app.get("/schema")
        async def schema(response: Response) -> Any:
            if self.fault == "redirect":
                return Response(status_code=307, headers={"location": "http://127.0.0.1:9/schema"})
            if self.fault == "huge":
                return {"action": "x" * (17 * 1024 * 1024)}
            if self.fault == "no JSON":
                return Response("<html>")
            if self.fault == "no schema":
                return {"action": {"type": 3}, "observation": OBSERVATION, "state": {}}
            response.status_code = 200 if self.schema else 404
            return {"action": ACTION, "observation": OBSERVATION, "state": {}}

        @app.get("/metadata")
        async def metadata() -> Any:
            return {"name": "guessing", "description": "Guess a number from 0 to 9."}

        @app.post("/reset")
        async def reset(request: Request) -> Any:
            told = await request.json()
            self.asked.append(("reset", told))
            return shared.reset(**told)

        @app.post("/step")
        async def step(request: Request) -> Any:
            told = await request.json()
            self.asked.append(("step", told))
            return Response(status_code=500) if self.fault == "500" else shared.step(told["action"])

        if self.websocket:
            app.add_api_websocket_route("/ws", self.session)
        return app

    async def session(self, line: WebSocket) -> None:
        if self.fault.startswith("ws:"):
            await line.send_denial_response(Response(status_code=307, headers={"location": self.fault}))
            return
        await line.accept()
        if self.fault == "full":
            told = {"message": "Server at capacity: 1/1 sessions active", "code": "CAPACITY_REACHED"}
            await line.send_json({"type": "error", "data": told})
            await line.close()
            return
        env = Guessing()
        self.sessions += 1
        try:
            while (message := await line.receive_json())["type"] != "close":
                self.asked.append((message["type"], message["data"]))
                match message["type"], self.fault:
                    case "step", "hang":
                        await asyncio.sleep(1000)
                    case "step", "drop":
                        await line.close()
                        return
                    case "step", "error":
                        await line.send_json({"type": "error", "data": {"message": "no", "code": "EXECUTION_ERROR"}})
                    case "step", "nonsense":
                        await line.send_json({"type": "observation", "data": {"observation": 3}})
                    case "step", "nan":
                        await line.send_text(
                            json.dumps({"type": "observation", "data": env.told("none", float("nan"), done=False)})
                        )
                    case "step", "outside":
                        await line.send_json({"type": "observation", "data": env.told("sideways", 0.0, done=False)})
                    case "step", _:
                        await line.send_json({"type": "observation", "data": env.step(message["data"])})
                    case "reset", _:
                        await line.send_json({"type": "observation", "data": env.reset(**message["data"])})
        except WebSocketDisconnect:
            pass
        finally:
            self.sessions -= 1


@contextmanager
def openenv(**behaviour: Any) -> Iterator[Served]:
    """Such a server, for a while."""
    served = Served(**behaviour)
    server = uvicorn.Server(uvicorn.Config(served.app(), port=0, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield served
    finally:
        server.should_exit = True
        thread.join()
