"""What every language-model backend shares: retries, the limit on concurrency, and the memory of refused parameters."""

import asyncio
import logging
import random
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

import httpx
import httpx2

from gym_llm.backends.base import BackendStatus, Question, Reply
from gym_llm.backends.concurrency import AdaptiveLimit
from gym_llm.backends.failures import RequestError
from gym_llm.errors import LLMError

STATUS_TIMEOUT = 2.0
"""Seconds that `status()` waits for a server."""

Parameters = dict[str, Any]
Offers = Mapping[str, Sequence[Parameters]]
"""Per optional parameter, the ways to send it, best first; when a model refuses the last one it is left out."""

_log = logging.getLogger(__name__)


class Client(Protocol):
    """A connection pool, as far as it is the same for every SDK."""

    async def close(self) -> None: ...


C = TypeVar("C", bound=Client)


class LLMBackend(ABC, Generic[C]):
    """A language model behind HTTP.

    Args:
        concurrency: Requests in flight at most; a request that waits for its retry does not count. Fewer
            while the server answers 429, see `AdaptiveLimit`.
        timeout: Time for one request, in s, from connecting to the last byte.
        attempts: Requests for one reply at most; those that only find a refused parameter do not count.
        backoff: Wait before the first retry, in s; doubles with each next one. Up to half as much again is added at
            random, so that agents that failed together do not come back together.
        max_backoff: Longest wait, in s, also where the server asks for a longer one.
    """

    name: str

    def __init__(
        self,
        *,
        concurrency: int = 256,
        timeout: float = 120.0,
        attempts: int = 6,
        backoff: float = 0.5,
        max_backoff: float = 60.0,
    ) -> None:
        self.concurrency = concurrency
        self.timeout = timeout
        self.attempts = attempts
        self.backoff = backoff
        self.max_backoff = max_backoff
        self._limit = AdaptiveLimit(concurrency)
        self._rungs: dict[str, dict[str, int]] = {}
        self._client: C | None = None

    async def ask(self, question: Question) -> Reply:
        """Answer one question.

        Raises:
            LLMError: refused for good, or still failing after `attempts` requests.
        """
        client = self._connected()
        await self._prepare(client, question)
        model = question.agent.model
        requests = failures = 0
        problem: str | None = None
        while True:
            offers = self._offers(client, question)
            sent = self._rungs.get(model, {})
            requests += 1
            try:
                reply = await self._send_in_time(client, question, _best(offers, sent))
            except RequestError as error:
                if parameter := self._concede(model, offers, sent, error):
                    problem = f"{error}, asked again without this {parameter}"
                    continue
                failures += 1
                if not error.transient or failures >= self.attempts:
                    tries = f" ({requests} requests sent)" if requests > 1 else ""
                    raise LLMError(f"{self.name}: {error}{tries}") from error
                wait = self._wait(failures, error.retry_after)
                problem = f"{error}, retried after {wait:.2g} s"
                await asyncio.sleep(wait)
            else:
                return replace(reply, requests=requests, problem=reply.problem or problem)

    async def status(self) -> BackendStatus:
        """Whether it can be used right now, and the models it has; never raises."""
        if missing := self._missing():
            return self._status(configured=False, reachable=False, detail=missing)
        try:
            async with asyncio.timeout(STATUS_TIMEOUT):
                with self._failures():
                    models = await self._models(self._connected())
        except TimeoutError:
            detail = f"no answer within {STATUS_TIMEOUT:g} s"
        except (RequestError, LLMError) as error:
            detail = str(error)
        else:
            return self._status(reachable=True, models=tuple(models))
        return self._status(reachable=False, detail=detail)

    def _status(self, *, configured: bool = True, **found: Any) -> BackendStatus:
        limit = self._limit
        return BackendStatus(
            self.name, configured=configured, concurrency=limit.size, max_concurrency=limit.most, **found
        )

    async def aclose(self) -> None:
        """Give back connections; the next question opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            self._closer.detach()
            await client.close()

    def _connected(self) -> C:
        # Not before the first question: a connection pool belongs to the event loop that runs when it is made.
        if missing := self._missing():
            raise LLMError(f"{self.name}: {missing}")
        if self._client is None:
            try:
                self._client = self._connect()
            except (ValueError, httpx.InvalidURL, httpx2.InvalidURL) as error:
                raise LLMError(f"{self.name}: the server's address is not valid") from error
            self._closer = weakref.finalize(self, _close, self._client, asyncio.get_running_loop())
        return self._client

    async def _send_in_time(self, client: C, question: Question, parameters: Parameters) -> Reply:
        async with self._limit.place() as since:
            try:
                async with asyncio.timeout(self.timeout):
                    with self._failures():
                        reply = await self._send(client, question, parameters)
            except TimeoutError:
                raise RequestError(f"no answer within {self.timeout:g} s") from None
            except RequestError as error:
                if any(message.get("images") for message in question.messages) and error.speaks_of_images:
                    raise RequestError(
                        f"the model did not take the pictures: {error}", error.status, final=True
                    ) from None
                if error.too_many and self._limit.shrink(since):
                    _log.warning("%s: too many requests: at most %d in flight now", self.name, self._limit.size)
                raise
            self._limit.grow()
            return reply

    def _wait(self, failures: int, retry_after: float | None) -> float:
        wait = self.backoff * 2 ** (failures - 1) if retry_after is None else retry_after
        return min(self.max_backoff, wait * random.uniform(1.0, 1.5))  # noqa: S311

    def _concede(self, model: str, offers: Offers, sent: dict[str, int], error: RequestError) -> str | None:
        """The parameter that `error` refuses, if any, after remembering for `model` not to send it that way again."""
        for parameter, ways in offers.items():
            rung = sent.get(parameter, 0)
            for key in ways[rung] if rung < len(ways) else ():
                if error.refuses(key):
                    known = self._rungs.get(model, {})
                    if known.get(parameter, 0) <= rung:
                        # A new dict: requests in flight still look at the one that they were sent with.
                        self._rungs[model] = {**known, parameter: rung + 1}
                        _log.warning("%s: %s does not take this %s and is no longer sent it", self.name, model, key)
                    return key
        return None

    def _missing(self) -> str | None:
        """What the operator has yet to configure."""
        return None

    async def _prepare(self, client: C, question: Question) -> None:
        """Find out what must be known before a question can be asked."""

    @abstractmethod
    def _connect(self) -> C: ...

    @abstractmethod
    def _offers(self, client: C, question: Question) -> Offers: ...

    @abstractmethod
    async def _send(self, client: C, question: Question, parameters: Parameters) -> Reply: ...

    @abstractmethod
    async def _models(self, client: C) -> Sequence[str]: ...

    @abstractmethod
    def _failures(self) -> AbstractContextManager[None]:
        """Turn every failure of a request that the SDK can raise into `RequestError`."""


def _best(offers: Offers, rungs: Mapping[str, int]) -> Parameters:
    best: Parameters = {}
    for parameter, ways in offers.items():
        for way in ways[rungs.get(parameter, 0) :][:1]:
            best |= way
    return best


def _close(client: Client, loop: asyncio.AbstractEventLoop) -> None:
    # A script that only ever calls synchronous code has no place to await `aclose()`, and should end in silence.
    if not loop.is_running():
        return
    closing = asyncio.run_coroutine_threadsafe(client.close(), loop)
    if asyncio._get_running_loop() is not loop:
        closing.result(timeout=1.0)
