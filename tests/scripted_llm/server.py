"""The server: OpenAI's and Ollama's chat protocols over one scripted model, with faults and a log of what was asked."""

import asyncio
import hashlib
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
from aiohttp import web

from tests.scripted_llm.faults import CONNECTION, REFUSED, TEXT, Fault, Faults
from tests.scripted_llm.players import answer
from tests.scripted_llm.prompt import read_turn

MODEL = "scripted"
CACHE_MINIMUM, CACHE_BLOCK = 1024, 128


@dataclass
class ScriptedLLM:
    """One server's behaviour and memory.

    `latency` (s) is spent on every answer; `retry_after` (s) goes with each 429; `models` are the ones that are there.
    """

    latency: float = 0.0
    faults: Faults = field(default_factory=dict)
    retry_after: float = 1.0
    models: Sequence[str] = (MODEL,)
    asked: Counter[tuple[int | None, int]] = field(default_factory=Counter)
    """Requests by (seed, step)."""
    parameters: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    """Of the newest requests: everything but the messages."""
    in_flight: int = 0
    peak: int = 0
    """Most requests that were ever answered at the same time."""
    _seen: Counter[bytes] = field(default_factory=Counter)

    def app(self) -> web.Application:
        """The routes of both protocols."""
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._openai),
                web.get("/v1/models", self._openai_models),
                web.post("/api/chat", self._ollama),
                web.get("/api/tags", self._ollama_models),
                web.get("/api/version", self._ollama_version),
                web.get("/_log", self._log),
                web.delete("/_log", self._forget),
            ]
        )
        return app

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        wanted = body.get("response_format") or {}
        schema = (wanted.get("json_schema") or {}).get("schema")
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        reply = await self._reply(request, body, body, schema, limit)
        if isinstance(reply, web.StreamResponse):
            return reply
        message = {"role": "assistant", "content": reply.text, "refusal": None}
        if reply.declined:
            message |= {"content": None, "refusal": reply.text}
        return _json(
            {
                "id": f"chatcmpl-{reply.digest}",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "length" if reply.cut else "stop"}],
                "usage": {
                    "prompt_tokens": reply.prompt_tokens,
                    "completion_tokens": reply.completion_tokens,
                    "total_tokens": reply.prompt_tokens + reply.completion_tokens,
                    "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
                },
            }
        )

    async def _ollama(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        options = body.get("options") or {}
        schema = body.get("format") if isinstance(body.get("format"), dict) else None
        reply = await self._reply(request, body, body | options, schema, options.get("num_predict"))
        if isinstance(reply, web.StreamResponse):
            return reply
        return _json(
            {
                "model": body["model"],
                "created_at": "2024-01-01T00:00:00Z",
                "message": {"role": "assistant", "content": reply.text},
                "done": True,
                "done_reason": "length" if reply.cut else "stop",
                "prompt_eval_count": reply.prompt_tokens,
                "eval_count": reply.completion_tokens,
            }
        )

    async def _reply(
        self,
        request: web.Request,
        body: Mapping[str, Any],
        parameters: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        limit: int | None,
    ) -> "Reply | web.StreamResponse":
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            messages = body["messages"]
            turn = read_turn(messages)
            self.asked[parameters.get("seed"), turn.step] += 1
            self.parameters.append({name: value for name, value in parameters.items() if name != "messages"})
            if body["model"].removesuffix(":latest") not in self.models:
                return _error(404, f"model '{body['model']}' not found", code="model_not_found")
            digest = hashlib.blake2b(orjson.dumps(messages[: turn.length]), digest_size=8).digest()
            fault = self._fault(turn.step, digest, parameters)
            if fault and fault.kind not in TEXT:
                return await self._disturb(request, fault)
            if self.latency:
                await asyncio.sleep(self.latency)
            return Reply.to(messages, schema, limit, fault.kind if fault else "", digest.hex())
        finally:
            self.in_flight -= 1

    def _fault(self, step: int, digest: bytes, parameters: Mapping[str, Any]) -> Fault | None:
        fault = self.faults.get(step) or self.faults.get(0)
        if fault is None:
            return None
        if fault.kind.startswith(REFUSED):
            # As a word of the request: `json_schema` is a value of a parameter, not its name.
            name = fault.kind.removeprefix(REFUSED)
            words = re.findall(r"\w+", orjson.dumps({k: v for k, v in parameters.items() if k != "messages"}).decode())
            return fault if name in words else None
        before = self._seen[digest]
        self._seen[digest] += 1
        return fault if fault.strikes(before) else None

    async def _disturb(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.kind:
            case "429" | "429-date":
                soon = format_datetime(datetime.now(UTC) + timedelta(seconds=self.retry_after), usegmt=True)
                wait = soon if fault.kind == "429-date" else f"{self.retry_after:g}"
                return _error(429, "slow down", code="rate_limit_exceeded", headers={"Retry-After": wait})
            case "quota":
                return _error(429, "you exceeded your current quota", code="insufficient_quota")
            case "401" | "403":
                return _error(int(fault.kind), f"wrong key in {request.headers.get('Authorization')}")
            case "404":
                return _error(404, "there is no such model", code="model_not_found")
            case "garbage":
                return web.Response(text="<html>not what you wanted</html>", content_type="text/html")
            case kind if kind in CONNECTION:
                return await _break(request, kind)
            case kind if kind.startswith(REFUSED):
                name = kind.removeprefix(REFUSED)
                place = "response_format.type: " if name.startswith("json_") else ""
                return _error(400, f"Unsupported parameter: {place}'{name}' is not supported with this model.")
        return _error(int(fault.kind), "the server has a problem")

    async def _openai_models(self, _: web.Request) -> web.Response:
        models = [{"id": model, "object": "model", "created": 0, "owned_by": "tests"} for model in self.models]
        return _json({"object": "list", "data": models})

    async def _ollama_models(self, _: web.Request) -> web.Response:
        return _json({"models": [{"name": f"{model}:latest", "model": f"{model}:latest"} for model in self.models]})

    async def _ollama_version(self, _: web.Request) -> web.Response:
        return _json({"version": "0.0.0-scripted"})

    async def _log(self, _: web.Request) -> web.Response:
        asked = [{"seed": seed, "step": step, "requests": count} for (seed, step), count in self.asked.items()]
        return _json({"total": self.asked.total(), "peak": self.peak, "asked": asked, "parameters": [*self.parameters]})

    async def _forget(self, _: web.Request) -> web.Response:
        self.forget()
        return web.Response(status=204)

    def forget(self) -> None:
        """Start the log, and the count that faults go by, anew."""
        self.asked.clear()
        self.parameters.clear()
        self._seen.clear()
        self.peak = 0


@dataclass(frozen=True)
class Reply:
    """The text, and the numbers that go with it in either protocol."""

    text: str
    cut: bool
    declined: bool
    digest: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int

    @classmethod
    def to(
        cls,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Any] | None,
        limit: int | None,
        fault: str,
        digest: str,
    ) -> "Reply":
        """The answer to a conversation, spoiled by `fault`.

        A token is four characters. Once there is more than one turn, the system prompt counts as cached as OpenAI would
        have it: whole blocks of 128 tokens, from 1024 tokens on. Later turns never do, so this never overstates.
        """
        text = _spoil(orjson.dumps(answer(messages, schema)).decode(), fault)
        cut = fault == "length" or (limit is not None and len(text) > 4 * limit)
        if limit is not None:
            text = text[: 4 * limit]
        system = len(messages[0]["content"]) // 4 if len(messages) > 2 and messages[0]["role"] == "system" else 0
        return cls(
            text=text,
            cut=cut,
            declined=fault == "declined",
            digest=digest,
            prompt_tokens=max(1, sum(len(message.get("content") or "") for message in messages) // 4),
            cached_tokens=system // CACHE_BLOCK * CACHE_BLOCK if system >= CACHE_MINIMUM else 0,
            completion_tokens=max(1, len(text) // 4),
        )


def _spoil(text: str, fault: str) -> str:
    match fault:
        case "invalid-json":
            return text.replace('"action":', '"action" is ')
        case "out-of-range":
            return '{"reflection":"I want an action that does not exist.","action":99}'
        case "length":
            return text[: len(text) // 2]
        case "empty":
            return ""
        case "fenced":
            return f"```json\n{text}\n```"
        case "declined":
            return "I'm sorry, I cannot help with that."
    return text


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(content), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def _error(status: int, text: str, code: str | None = None, headers: Mapping[str, str] | None = None) -> web.Response:
    error = {"message": text, "type": "invalid_request_error", "param": None, "code": code}
    return _json({"error": error}, status, headers)


async def _break(request: web.Request, kind: str) -> web.StreamResponse:
    if kind == "hang":
        await asyncio.sleep(3600)
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    if kind == "cut":
        await response.prepare(request)
        await response.write(b'{"id": "chatcmpl-')
    if request.transport:
        request.transport.abort()
    return response
