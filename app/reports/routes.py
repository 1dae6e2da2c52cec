"""HTTP of reports."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from app.access import Caller
from app.artifacts.report.model import BatchReport
from app.deps import CurrentCaller
from app.errors import InvalidRequestError, NotFoundError
from app.problems import documented
from app.reports.formats import HEADERS, MEDIA_TYPES, Format, accepted
from app.reports.reading import GifLink
from app.reports.service import ReportService

MOST_RUNS = 100
"""In one comparison."""


def report_service(request: Request) -> ReportService:
    service: ReportService = request.app.state.reports
    return service


def gif_link(request: Request) -> GifLink:
    return lambda run_id, episode: str(request.url_for("get_gif", run_id=run_id, episode=episode))


def format_wanted(
    format: Annotated[Format | None, Query(description="Without it, the `Accept` header decides.")] = None,
    accept: Annotated[str, Header(description="`text/html` or `text/markdown`; all else gives JSON.")] = "*/*",
) -> Format:
    return format or accepted(accept)


Reports = Annotated[ReportService, Depends(report_service)]
Link = Annotated[GifLink, Depends(gif_link)]
FormatWanted = Annotated[Format, Depends(format_wanted)]

CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {MEDIA_TYPES[format]: {"schema": {"type": "string"}} for format in ("markdown", "html")},
        "description": "The report",
    }
}

router = APIRouter(tags=["results"])


@router.get(
    "/compare",
    summary="Compare runs",
    response_model=BatchReport,
    responses=CONTENT | documented(NotFoundError, InvalidRequestError),
)
async def compare_runs(
    reports: Reports,
    caller: CurrentCaller,
    link: Link,
    format: FormatWanted,
    run: Annotated[list[UUID], Query(min_length=2, max_length=MOST_RUNS, description="Ids of the runs.")],
) -> Response:
    """Runs side by side: each one's figures with their intervals, and, for every two in the same environment, the
    difference on the seeds that both have played. As JSON, as Markdown, or as a page that holds its plots and GIFs."""
    return await respond(reports, caller, await reports.compare(caller, run, link), format)


async def respond(reports: ReportService, caller: Caller, report: BatchReport, format: Format) -> Response:
    """A report of runs that the caller sees, as a response."""
    headers = {**HEADERS[format], "Vary": "Accept"}
    return Response(await reports.write(caller, report, format), media_type=MEDIA_TYPES[format], headers=headers)
