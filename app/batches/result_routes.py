"""HTTP of what a batch leaves behind: report, export."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.artifacts.report.model import BatchReport
from app.batches.results import BatchResults
from app.deps import CurrentCaller
from app.errors import ConflictError, InvalidRequestError, MissingExtraError, NotFoundError
from app.exports import routes as exporting
from app.exports.routes import Exports, FormatName, Selected
from app.problems import documented
from app.reports import routes as reporting
from app.reports.routes import FormatWanted, Link, Reports


def batch_results(request: Request) -> BatchResults:
    results: BatchResults = request.app.state.batch_results
    return results


Results = Annotated[BatchResults, Depends(batch_results)]

router = APIRouter(
    prefix="/batches/{batch_id}", tags=["batches"], responses=documented(NotFoundError, InvalidRequestError)
)


@router.get("/report", summary="The report of a batch", response_model=BatchReport, responses=reporting.CONTENT)
async def report_batch(
    batch_id: UUID, results: Results, reports: Reports, caller: CurrentCaller, link: Link, format: FormatWanted
) -> Response:
    """So far or final: the figures of each cell with their intervals, and, in each environment, the difference between
    every two agents on the seeds that both have played. Of a seed that was played more than once, the newest episode
    counts. As JSON, as Markdown, or as a page that holds its plots and GIFs."""
    return await reporting.respond(reports, caller, await results.report(caller, batch_id, link), format)


@router.get(
    "/export",
    summary="The data of a batch",
    response_class=StreamingResponse,
    responses=exporting.CONTENT | documented(ConflictError, MissingExtraError),
)
async def export_batch(
    batch_id: UUID,
    results: Results,
    exports: Exports,
    caller: CurrentCaller,
    selected: Selected,
    format: FormatName = "jsonl",
) -> StreamingResponse:
    """All of its runs, in the formats in which `GET /runs/{run_id}/export` gives one. In `jsonl`, and in the
    `runs.jsonl` of `parquet`, each run names its `cell`; it is null where another run has taken its place. `openai`
    selects from all runs together."""
    runs = await results.runs(caller, batch_id)
    return await exporting.respond(exports, runs, format, selected, name=f"batch_{batch_id}")
