"""What routes of every feature depend on."""

import time
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from app.access import Authenticator, Caller, is_loopback
from app.errors import ForbiddenError, UnauthorizedError

SAFE_METHODS = ("GET", "HEAD")
OTHER_SITES = ("cross-site", "same-site")
SESSION_COOKIE = "gym_llm_session"

_bearer = HTTPBearer(
    scheme_name="key",
    bearerFormat="glm_...",
    description="`Authorization: Bearer glm_...`, for every operation. `gym-llm keys create` makes keys; as long as "
    "none was ever made, none is needed.",
    auto_error=False,
)
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    scheme_name="session",
    description="For browsers, where images, downloads and event streams can't send headers. `POST /auth/session` "
    "with a key sets it. It is good for reading, and for signing out: everything else takes the key itself.",
    auto_error=False,
)


def bearer_key(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str | None:
    """The API key that came with the request."""
    return credentials.credentials if credentials is not None else None


Key = Annotated[str | None, Depends(bearer_key)]
SessionToken = Annotated[str | None, Depends(_cookie)]


async def current_caller(request: Request, key: Key, session: SessionToken) -> Caller:
    """Who asks, when that is known and allowed.

    Raises:
        UnauthorizedError: not known.
        ForbiddenError: not allowed.
    """
    authenticator: Authenticator = request.app.state.authenticator
    reading = request.method in SAFE_METHODS
    # Browsers send cookies along with what other sites make them ask for: those must not change anything.
    caller = await authenticator.authenticate(key, session if reading else None)
    # A page of another site can have its name lead to this machine: to a browser, it then asks its own site.
    if caller.key_id is None and not (request.app.state.insecure or is_loopback(request.url.hostname or "")):
        raise ForbiddenError("Without an API key, this service can only be asked as localhost.")
    if reading:
        return caller
    if not caller.may_write:
        raise ForbiddenError("This key may look, but not change anything.")
    # Where no key is needed, any page that is open in a browser on this machine could make it start runs.
    if caller.key_id is None and request.headers.get("sec-fetch-site") in OTHER_SITES:
        raise ForbiddenError("Pages of other sites may not change anything here.")
    return caller


class Admission:
    """Whether whoever opened a stream may still read it: keys are revoked while streams are open."""

    def __init__(self, request: Request, key: Key, session: SessionToken) -> None:
        self._authenticator: Authenticator = request.app.state.authenticator
        self._key = key
        self._session = session
        self._every_s: float = request.app.state.settings.ping_s

    async def while_it_lasts(self, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events, until the key that came with the request is no longer good. It is looked at as often as a
        silent stream sends pings."""
        checked = time.monotonic()
        async for event in events:
            if time.monotonic() - checked >= self._every_s:
                try:
                    await self._authenticator.authenticate(self._key, self._session)
                except UnauthorizedError:
                    return
                checked = time.monotonic()
            yield event


CurrentCaller = Annotated[Caller, Depends(current_caller)]
Limit = Annotated[int, Query(ge=1, le=100, description="Most items on one page.")]
AfterId = Annotated[UUID | None, Query(description="Id of the last item of the page before.")]
