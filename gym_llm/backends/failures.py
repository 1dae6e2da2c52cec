"""Why a request brought no reply, in words that are fit to be shown."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
import httpx2

_RETRIED = frozenset({408, 409, 429})
_REFUSALS = frozenset({400, 422})
# These name a parameter, but it is the prompt or the number that is wrong: without it they would only fail later.
_TOO_LONG = re.compile(r"context.(length|window|size)|too (large|long|many)", re.IGNORECASE)
_IMAGES = re.compile(r"\bimages?\b|image_url|\bvision\b|multi-?modal", re.IGNORECASE)
_SECRET = re.compile(r"\bsk-[\w*-]+|\bBearer\s+\S+", re.IGNORECASE)


class RequestError(Exception):
    """One request that brought no reply. Its text is fit to be shown to anyone.

    `status` is the HTTP status (None: no answer at all), `retry_after` the wait in s that the server asked for,
    `parameter` the one that the server blames, `final` is set where a retry cannot help whatever the status is.
    `transient` tells whether a retry may help, `too_many` whether fewer requests at a time would.
    """

    def __init__(
        self,
        problem: str,
        status: int | None = None,
        retry_after: float | None = None,
        parameter: str | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.retry_after = retry_after
        self.parameter = parameter
        self.too_many = not final and status == 429
        self.transient = not final and (status is None or status in _RETRIED or not 300 <= status < 500)

    @property
    def speaks_of_images(self) -> bool:
        """Whether the server names pictures as the reason."""
        return self.status is not None and self.status != 429 and _IMAGES.search(str(self)) is not None

    def refuses(self, parameter: str) -> bool:
        """Whether the request failed because the model does not take `parameter`."""
        if self.status not in _REFUSALS or _TOO_LONG.search(str(self)):
            return False
        return parameter == self.parameter or re.search(rf"(?<!\w){parameter}(?!\w)", str(self)) is not None


def http_failure(
    status: int,
    body: object,
    headers: Mapping[str, str],
    *,
    secret: str | None = None,
    parameter: str | None = None,
    final: bool = False,
) -> RequestError:
    """The failure that an HTTP error answer stands for, its message cleared of `secret` and of anything like a key."""
    text = " ".join(_message(body).split())
    if secret:
        text = text.replace(secret, "***")
    text = _SECRET.sub("***", text)[:300]
    if status == 401:
        text = "the server did not accept the API key"
    return RequestError(
        f"HTTP {status}: {text}" if text else f"HTTP {status}", status, _retry_after(headers), parameter, final
    )


def lost_connection(error: BaseException) -> RequestError:
    """The failure that an exception of the transport stands for."""
    request = getattr(error, "request", None)
    server = request.url.netloc.decode() if request else "the server"
    cause = error
    # The transports report a refused connection as a timeout; aiohttp, underneath, knows better.
    while not isinstance(cause, aiohttp.ClientError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, aiohttp.ServerTimeoutError | httpx.TimeoutException | httpx2.TimeoutException):
        return RequestError(f"{server} did not answer in time")
    what = "cannot connect to" if isinstance(cause, aiohttp.ClientConnectorError) else "lost the connection to"
    return RequestError(f"{what} {server} ({type(cause).__name__})")


def _message(body: object) -> str:
    if isinstance(body, Mapping):
        for name in ("message", "error", "detail"):
            if body.get(name):
                return _message(body[name])
    return "" if body is None else str(body)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000 if "retry-after-ms" in headers else float(value))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date in "-0000" comes without a zone, and means UTC.
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
