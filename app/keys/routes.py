"""HTTP of signing in with a browser."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access import Caller, Role
from app.deps import SESSION_COOKIE, Key, SessionToken
from app.errors import UnauthorizedError
from app.keys.authenticator import SESSION_LIFETIME, KeyAuthenticator
from app.problems import documented


class SignInView(BaseModel):
    """Who is signed in."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"owner": "alice", "role": "user", "expires_at": "2026-01-01T12:00:00Z"}]}
    )

    owner: str
    role: Role
    expires_at: datetime | None = Field(
        None, description="Of a session that was just opened; null where no key is needed."
    )


def key_authenticator(request: Request) -> KeyAuthenticator:
    authenticator: KeyAuthenticator = request.app.state.authenticator
    return authenticator


Authenticating = Annotated[KeyAuthenticator, Depends(key_authenticator)]


async def with_key(authenticator: Authenticating, key: Key) -> Caller:
    return await authenticator.authenticate(key, None)


async def with_key_or_cookie(authenticator: Authenticating, key: Key, session: SessionToken) -> Caller:
    return await authenticator.authenticate(key, session)


router = APIRouter(prefix="/auth", tags=["sign in"], responses=documented(UnauthorizedError))


@router.post("/session", summary="Sign in with a browser")
async def sign_in(
    caller: Annotated[Caller, Depends(with_key)], authenticator: Authenticating, request: Request, response: Response
) -> SignInView:
    """Sets a cookie that is good for reading as long as the key is, for twelve hours at most: images, downloads and
    event streams, which can't send the key, work with it. Scripts can't read it, and other sites can't send it."""
    opened = await authenticator.open_session(caller)
    response.headers["Cache-Control"] = "no-store"
    if opened is not None:
        response.set_cookie(
            SESSION_COOKIE,
            opened.token,
            max_age=int(SESSION_LIFETIME.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return SignInView(owner=caller.owner, role=caller.role, expires_at=opened.expires_at if opened else None)


@router.get("/session", summary="Who is signed in?")
async def get_session(caller: Annotated[Caller, Depends(with_key_or_cookie)], response: Response) -> SignInView:
    """The owner and the role of the key or of the cookie that came with the request."""
    response.headers["Cache-Control"] = "no-store"
    return SignInView(owner=caller.owner, role=caller.role)


@router.delete(
    "/session",
    status_code=204,
    summary="Sign out",
    dependencies=[Depends(with_key_or_cookie)],
)
async def sign_out(authenticator: Authenticating, session: SessionToken, response: Response) -> None:
    """Ends the session of the cookie, and removes the cookie."""
    if session is not None:
        await authenticator.close_session(session)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
