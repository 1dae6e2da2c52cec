"""HTTP of imports."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from app.archives.service import ImportService
from app.deps import CurrentCaller
from app.errors import (
    BodyTooLargeError,
    InvalidArchiveError,
    InvalidRequestError,
    NotVerifiedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from app.problems import documented
from app.runs.schemas import RunView

ZIP = "application/zip"
DOCUMENTED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
}


def import_service(request: Request) -> ImportService:
    service: ImportService = request.app.state.imports
    return service


Imports = Annotated[ImportService, Depends(import_service)]

router = APIRouter(prefix="/runs", tags=["runs"])


@router.post(
    "/import",
    status_code=201,
    summary="Import an archive",
    openapi_extra=DOCUMENTED,
    responses=documented(
        BodyTooLargeError,
        UnsupportedMediaTypeError,
        InvalidRequestError,
        InvalidArchiveError,
        NotVerifiedError,
        UnavailableError,
    ),
)
async def import_run(
    request: Request,
    response: Response,
    imports: Imports,
    caller: CurrentCaller,
    verify: Annotated[
        bool, Query(description="Take its actions again first, and refuse it where they lead elsewhere.")
    ] = True,
) -> RunView:
    """Takes what `GET /runs/{run_id}/archive` gave, here or elsewhere: a run that is over, with its steps and pictures,
    under a new id. `imported_from` keeps the old id, and whether it was verified."""
    if request.headers.get("content-type", ZIP).split(";")[0].strip().lower() != ZIP:
        raise UnsupportedMediaTypeError(f"Send {ZIP}.")
    with await asyncio.to_thread(imports.file) as file:
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size > imports.max_bytes:
                raise BodyTooLargeError(f"At most {imports.max_bytes} bytes are accepted.")
            await asyncio.to_thread(file.write, piece)
        run = await imports.take_in(caller, file, verified=verify)
    response.headers["Location"] = str(request.url_for("get_run", run_id=run.id).path)
    return run
