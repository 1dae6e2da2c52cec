"""The server: OpenAI's and Ollama's chat protocols over one scripted model, with faults and a log of what was asked."""

import asyncio
import hashlib
import re
from base64 import b64decode
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
from aiohttp import web

from tests.scripted_llm.cache import PrefixCache
from tests.scripted_llm.faults import CONNECTION, REFUSED, TEXT, Fault, Faults
from tests.scripted_llm.prompt import read_turn
from tests.scripted_llm.reply import Reply

MODEL = "scripted"
CONTEXT_LENGTH = 131_072


@dataclass
class ScriptedLLM:
    """One server's behaviour and memory.

    `latency` (s) is spent on every answer; `retry_after` (s) goes with each 429; `models` are the ones that are there.
    More than `most` requests at a time are answered with 429. With a `cache`, cached tokens depend on what was asked
    before; without one, every answer and all of its numbers are a function of the conversation alone.
    """

    latency: float = 0.0
    faults: Faults = field(default_factory=dict)
    retry_after: float = 1.0
    models: Sequence[str] = (MODEL,)
    most: int | None = None
    cache: PrefixCache | None = None
    capabilities: Sequence[str] = ("completion", "thinking", "vision")
    context_length: int = CONTEXT_LENGTH
    asked: Counter[tuple[int | None, int]] = field(default_factory=Counter)
    """Requests by (seed, step)."""
    parameters: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    """Of the newest requests: everything but the messages."""
    images: deque[bytes] = field(default_factory=lambda: deque(maxlen=1000))
    """The newest pictures, in the order in which they came."""
    refused: int = 0
    """Requests that were one too many."""
    described: int = 0
    """Times that a model was described, in Ollama's protocol."""
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
                web.post("/api/show", self._ollama_show),
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
        thought = {"completion_tokens_details": {"reasoning_tokens": reply.thought_tokens}}
        if reply.declined:
            message |= {"content": None, "refusal": reply.text}
        return _json(
            {
                "id": f"chatcmpl-{reply.digest}",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": reply.end}],
                "usage": {
                    "prompt_tokens": reply.prompt_tokens,
                    "completion_tokens": reply.completion_tokens,
                    "total_tokens": reply.prompt_tokens + reply.completion_tokens,
                    "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
                    **(thought if reply.thought_tokens else {}),
                },
            }
        )

    async def _ollama(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        options = body.get("options") or {}
        schema = body.get("format") if isinstance(body.get("format"), dict) else None
        if body.get("think") and "thinking" not in self.capabilities:
            return _error(400, f"registry.ollama.ai/library/{body['model']} does not support thinking")
        body["messages"] = _fitting(body["messages"], min(options.get("num_ctx", 4096), self.context_length))
        reply = await self._reply(request, body, body | options, schema, options.get("num_predict"))
        if isinstance(reply, web.StreamResponse):
            return reply
        return _json(
            {
                "model": body["model"],
                "created_at": "2024-01-01T00:00:00Z",
                "message": {"role": "assistant", "content": reply.text}
                | ({"thinking": "Let me think."} if body.get("think") or reply.thought_tokens else {}),
                "done": reply.end is not None,
                **({"done_reason": reply.end} if reply.end else {}),
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
    ) -> Reply | web.StreamResponse:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            messages = [self._look_at(message) for message in body["messages"]]
            turn = read_turn(messages)
            self.asked[parameters.get("seed"), turn.step] += 1
            self.parameters.append({name: value for name, value in parameters.items() if name != "messages"})
            if body["model"].removesuffix(":latest") not in self.models:
                return _error(404, f"model '{body['model']}' not found", code="model_not_found")
            if self.most is not None and self.in_flight > self.most:
                self.refused += 1
                return await self._disturb(request, Fault("429"))
            digest = hashlib.blake2b(orjson.dumps(messages[: turn.length]), digest_size=8).digest()
            fault = self._fault(turn.step, digest, parameters)
            if fault and fault.kind not in TEXT:
                return await self._disturb(request, fault)
            if self.latency:
                await asyncio.sleep(self.latency)
            reply = Reply.to(messages, schema, limit, fault.kind if fault else "", digest.hex())
            return replace(reply, cached_tokens=self.cache.read(messages)) if self.cache else reply
        finally:
            self.in_flight -= 1

    def _look_at(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        # Both protocols' pictures are taken out; what is left is a message of text.
        content = message.get("content")
        if isinstance(content, list):
            urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
            pictures = [url.removeprefix("data:image/png;base64,") for url in urls]
            message = {**message, "content": "".join(part["text"] for part in content if part["type"] == "text")}
        else:
            pictures = message.get("images") or []
        self.images.extend(b64decode(picture, validate=True) for picture in pictures)
        return message

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
            case "no-images":
                return _error(400, "Invalid content type. image_url is only supported by certain models.")
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

    async def _ollama_show(self, request: web.Request) -> web.Response:
        self.described += 1
        model = orjson.loads(await request.read())["model"]
        if model.removesuffix(":latest") not in self.models:
            return _json({"error": f"model '{model}' not found"}, 404)
        information = {"general.architecture": "scripted", "scripted.context_length": self.context_length}
        return _json({"details": {}, "model_info": information, "capabilities": self.capabilities})

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
        self.images.clear()
        self._seen.clear()
        self.peak = self.refused = 0


def _fitting(messages: list[Any], num_ctx: int) -> list[Any]:
    # As Ollama does: whole messages go, from the oldest on, but never the system prompt and the newest one.
    def tokens(kept: Sequence[Any]) -> int:
        return sum(len(message["content"]) for message in kept) // 4

    kept = list(messages)
    while len(kept) > 2 and tokens(kept) > num_ctx:
        del kept[1]
    return kept


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
