"""Failures of the service: each carries its HTTP status and a stable type; one handler renders them all."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from gym_llm.errors import GymLLMError

PROBLEM = "urn:gym-llm:problem:"


class ProblemError(Exception):
    """A request that can't be served. Rendered as RFC 9457 problem+json."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    headers: Mapping[str, str] | None = None

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    @classmethod
    def type(cls) -> str:
        """The stable name of this kind of problem."""
        return PROBLEM + cls.slug

    def body(self) -> dict[str, Any]:
        """The problem as JSON."""
        return {
            "type": self.type(),
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


class MalformedBodyError(ProblemError):
    status, slug, title = 400, "malformed-body", "The body can't be read"


class UnauthorizedError(ProblemError):
    status, slug, title = 401, "unauthorized", "A valid API key is needed"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class ForbiddenError(ProblemError):
    status, slug, title = 403, "forbidden", "Not allowed"


class NotFoundError(ProblemError):
    status, slug, title = 404, "not-found", "Not found"


class ConflictError(ProblemError):
    status, slug, title = 409, "conflict", "Not possible in this state"


class BusyError(ProblemError):
    status, slug, title = 409, "busy", "Another call is under way"


class SessionOverError(ProblemError):
    status, slug, title = 410, "session-over", "The session is over"


class BodyTooLargeError(ProblemError):
    status, slug, title = 413, "body-too-large", "The body is too large"


class RangeNotSatisfiableError(ProblemError):
    status, slug, title = 416, "range-not-satisfiable", "The range lies beyond the file"

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes.")
        self.headers = {"Content-Range": f"bytes */{size}"}


class UnsupportedMediaTypeError(ProblemError):
    status, slug, title = 415, "unsupported-media-type", "Content type not supported"


class InvalidRequestError(ProblemError):
    status, slug, title = 422, "invalid-request", "The request is not valid"


class InvalidArchiveError(ProblemError):
    status, slug, title = 422, "invalid-archive", "Not an archive of a run that is over"


class NotVerifiedError(ProblemError):
    status, slug, title = 422, "not-verified", "The run does not go again as it is recorded"


class IdempotencyMismatchError(ProblemError):
    status, slug, title = 422, "idempotency-mismatch", "Idempotency key used before with another body"


class RequestIdMismatchError(ProblemError):
    status, slug, title = 422, "request-id-mismatch", "Request id used before with another body"


class TooManyRunsError(ProblemError):
    status, slug, title = 429, "too-many-runs", "Too many runs are active"


class TooManySessionsError(ProblemError):
    status, slug, title = 429, "too-many-sessions", "Too many sessions are open"


class LLMFailedError(ProblemError):
    status, slug, title = 502, "llm-error", "The model gave no usable answer"


class EnvFailedError(ProblemError):
    status, slug, title = 502, "env-error", "The environment failed"


class MissingExtraError(ProblemError):
    status, slug, title = 501, "missing-extra", "Not installed on this server"

    def __init__(self, extra: str) -> None:
        super().__init__(f"This needs the extra {extra}: pip install 'gym-llm[{extra}]'")


class TooManyWatchersError(ProblemError):
    status, slug, title = 503, "too-many-watchers", "Too many event streams are open"


class TooManyEnvironmentsError(ProblemError):
    status, slug, title = 503, "too-many-environments", "Too many environments are in use"


class UnavailableError(ProblemError):
    status, slug, title = 503, "unavailable", "Not ready"


class ClaimLostError(Exception):
    """Another worker holds the run now: whatever this one still wants to write must not be written."""


class WorkerLostError(GymLLMError):
    """A run has probably taken its workers down, and is given up."""

    code = "worker_lost"
