"""HTTP of exports."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from app.artifacts.responses import Download
from app.deps import CurrentCaller
from app.errors import ConflictError, InvalidRequestError, MissingExtraError, NotFoundError
from app.exports.selection import Selection
from app.exports.service import ExportService, Format
from app.problems import documented
from app.runs.stored_run import StoredRun

JSONL, ZIP = "application/jsonl", "application/zip"
KINDS: dict[str, tuple[str, str]] = {
    "jsonl": (JSONL, ".jsonl"),
    "openai": (JSONL, "_openai.jsonl"),
    "parquet": (ZIP, "_parquet.zip"),
    "minari": (ZIP, "_minari.zip"),
}
EXAMPLE = """\
{"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"succeeded","agent":{"backend":"ollama"},"type":"run"}
{"episode":0,"seed":0,"status":"succeeded","total_reward":261.4,"num_steps":214,"success":true,"type":"episode"}
{"id":1,"episode":0,"step":1,"reflection":"Falling slowly: no engine is needed yet.","action":0,"type":"step"}
"""


def export_service(request: Request) -> ExportService:
    service: ExportService = request.app.state.exports
    return service


Exports = Annotated[ExportService, Depends(export_service)]


def selection(
    min_return: Annotated[
        float | None, Query(allow_inf_nan=False, description="`openai`: episodes with at least this total reward.")
    ] = None,
    top_fraction: Annotated[
        float | None, Query(gt=0, le=1, description="`openai`: this share of the episodes, the best by total reward.")
    ] = None,
    only_valid: Annotated[bool, Query(description="`openai`: only decisions whose first reply was valid.")] = False,
) -> Selection:
    return Selection(min_return, top_fraction, only_valid)


Selected = Annotated[Selection, Depends(selection)]
FormatName = Annotated[Format, Query(description="What to make of it.")]

CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            JSONL: {"schema": {"type": "string"}, "example": EXAMPLE},
            ZIP: {"schema": {"type": "string", "format": "binary"}},
        },
        "description": "The data",
    }
}

router = APIRouter(
    prefix="/runs/{run_id}",
    tags=["results"],
    responses=documented(NotFoundError, InvalidRequestError, ConflictError, MissingExtraError),
)


@router.get("/export", summary="The data of a run", response_class=StreamingResponse, responses=CONTENT)
async def export_run(
    run_id: UUID, exports: Exports, caller: CurrentCaller, selected: Selected, format: FormatName = "jsonl"
) -> StreamingResponse:
    """What is stored of it so far, in one of these formats:

    - `jsonl`: the run, then each episode followed by its steps, one JSON object a line, told apart by `type`.
    - `parquet`: a zip of `episodes.parquet`, `steps.parquet` and `runs.jsonl`; observations and actions are JSON.
    - `minari`: a zip of a Minari dataset of the finished episodes, reflections in `infos`; its README.txt says how to
      load it. The episodes are taken again, so their environment must be loaded.
    - `openai`: chat fine-tuning lines, one a decision of a finished episode, with the prompt that was sent; earlier
      answers in it have weight 0. Of a fork, its own decisions only. `min_return`, `top_fraction` and `only_valid`
      select. Taken again likewise.
    """
    run = await exports.run(caller, run_id)
    return await respond(exports, _just(run), format, selected, name=f"run_{run_id}")


async def respond(
    exports: ExportService, runs: AsyncIterator[StoredRun], format: Format, selected: Selection, name: str
) -> StreamingResponse:
    """Some runs as a response.

    Raises:
        InvalidRequestError: a selection, where the format takes all.
    """
    if format != "openai" and selected != Selection():
        raise InvalidRequestError("min_return, top_fraction and only_valid go with format=openai only.")
    media_type, suffix = KINDS[format]
    if format == "jsonl":
        headers = {"Content-Disposition": f'attachment; filename="{name}{suffix}"'}
        return StreamingResponse(exports.lines(runs), headers=headers, media_type=media_type)
    file = await exports.file(runs, format, selected, name)
    return Download(file, filename=name + suffix, media_type=media_type)


async def _just(run: StoredRun) -> AsyncIterator[StoredRun]:
    yield run
