"""HTTP of batches."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from app.batches.examples import BATCH_EVENTS, BATCH_YAML
from app.batches.schemas import BatchList, BatchRequest, BatchView, RetryRequest
from app.batches.service import BatchService
from app.batches.stream import BatchStream
from app.body import REFUSALS, body_of, documented_body
from app.deps import Admission, AfterId, CurrentCaller, Limit
from app.errors import (
    ConflictError,
    IdempotencyMismatchError,
    InvalidRequestError,
    NotFoundError,
    TooManyRunsError,
    TooManyWatchersError,
    UnavailableError,
)
from app.problems import documented
from app.runs.routes import EVENT_STREAM_HEADERS


def batch_service(request: Request) -> BatchService:
    service: BatchService = request.app.state.batches
    return service


def batch_stream(request: Request) -> BatchStream:
    stream: BatchStream = request.app.state.batch_stream
    return stream


Batches = Annotated[BatchService, Depends(batch_service)]

router = APIRouter(prefix="/batches", tags=["batches"])


@router.post(
    "",
    status_code=202,
    summary="Start a batch",
    openapi_extra=documented_body(BatchRequest, BATCH_YAML),
    responses={
        202: {"description": "The batch is accepted and will not be lost; `Location` tells where to look"},
        **documented(*REFUSALS, InvalidRequestError, IdempotencyMismatchError, TooManyRunsError),
    },
)
async def create_batch(
    body: Annotated[BatchRequest, Depends(body_of(BatchRequest))],
    batches: Batches,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="The same key and body give the same batch again.")
    ] = None,
) -> BatchView:
    """Play every agent in every environment, all with the same seeds: one run for each pair of them, a cell.

    An entry's `grid` stands for as many entries as its values can be combined."""
    batch = await batches.create(caller, body, idempotency_key)
    response.headers["Location"] = str(request.url_for("get_batch", batch_id=batch.id).path)
    return batch


@router.get("", summary="List batches, newest first", responses=documented(InvalidRequestError))
async def list_batches(batches: Batches, caller: CurrentCaller, limit: Limit = 20, after: AfterId = None) -> BatchList:
    """Without their cells."""
    return await batches.list(caller, limit=limit, after=after)


@router.get("/{batch_id}", summary="Get a batch", responses=documented(NotFoundError, InvalidRequestError))
async def get_batch(batch_id: UUID, batches: Batches, caller: CurrentCaller) -> BatchView:
    """Status, progress and cells; `GET /runs?batch=...` lists its runs."""
    return await batches.get(caller, batch_id)


@router.post(
    "/{batch_id}/retry",
    status_code=202,
    summary="Play again what failed",
    openapi_extra=documented_body(RetryRequest, optional=True),
    responses=documented(*REFUSALS, NotFoundError, InvalidRequestError, TooManyRunsError),
)
async def retry_batch(
    batch_id: UUID,
    body: Annotated[RetryRequest, Depends(body_of(RetryRequest, optional=True))],
    batches: Batches,
    caller: CurrentCaller,
) -> BatchView:
    """Of cells that failed or were cancelled, the seeds that did not succeed; what succeeded is kept. With the strategy
    `memory`, which carries lessons from episode to episode, the whole cell."""
    return await batches.retry(caller, batch_id, body)


@router.post(
    "/{batch_id}/cancel",
    status_code=202,
    summary="Cancel a batch",
    responses=documented(NotFoundError, InvalidRequestError),
)
async def cancel_batch(batch_id: UUID, batches: Batches, caller: CurrentCaller) -> BatchView:
    """Cancels each of its runs that is not over."""
    return await batches.cancel(caller, batch_id)


@router.delete(
    "/{batch_id}",
    status_code=204,
    summary="Delete a batch",
    responses=documented(NotFoundError, ConflictError, InvalidRequestError, UnavailableError),
)
async def delete_batch(batch_id: UUID, batches: Batches, caller: CurrentCaller) -> None:
    """Deletes its runs too, with their files. Only a batch that is over can be deleted."""
    await batches.delete(caller, batch_id)


@router.get(
    "/{batch_id}/events",
    summary="Follow a batch (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": BATCH_EVENTS}}, "description": "The stream"},
        **documented(NotFoundError, InvalidRequestError, TooManyWatchersError),
    },
)
async def follow_batch(
    batch_id: UUID,
    batches: Batches,
    caller: CurrentCaller,
    stream: Annotated[BatchStream, Depends(batch_stream)],
    admission: Annotated[Admission, Depends()],
) -> StreamingResponse:
    """Events `batch`, `cell` for each cell that has changed, and `done` at the end. Whoever comes back gets every cell
    anew."""
    await batches.row(caller, batch_id)
    events = await stream.open(batch_id)
    return StreamingResponse(
        admission.while_it_lasts(events), media_type="text/event-stream", headers=EVENT_STREAM_HEADERS
    )
