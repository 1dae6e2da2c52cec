"""HTTP of what a run leaves behind: GIFs, videos, frames, raw outputs, metrics, archive."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from app.artifacts.metrics import Metrics
from app.artifacts.responses import Download, file_response
from app.deps import CurrentCaller
from app.errors import InvalidRequestError, NotFoundError, RangeNotSatisfiableError, UnavailableError
from app.problems import documented
from app.runs.files import RunFiles
from app.runs.routes import EpisodeIndex, Runs
from gym_llm.results import GIF, VIDEO


def run_files(request: Request) -> RunFiles:
    files: RunFiles = request.app.state.files
    return files


Files = Annotated[RunFiles, Depends(run_files)]

RAW_OUTPUTS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {"example": {"1": {"reflection": "Falling slowly: no engine yet.", "action": 0}}}
        }
    }
}

router = APIRouter(
    prefix="/runs/{run_id}",
    tags=["results"],
    responses=documented(NotFoundError, InvalidRequestError, UnavailableError),
)


def _binary(media_type: str, what: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"content": content, "description": what},
        206: {"content": content, "description": "The range that was asked for"},
        304: {"description": "Not changed since the ETag in `If-None-Match`"},
        **documented(RangeNotSatisfiableError),
    }


@router.get(
    "/episodes/{episode}/gif",
    summary="The episode as a GIF",
    response_class=StreamingResponse,
    responses=_binary("image/gif", "The GIF: one frame a step, captioned if that was asked for"),
)
async def get_gif(
    run_id: UUID, episode: EpisodeIndex, files: Files, caller: CurrentCaller, request: Request
) -> Response:
    """Of a run with `save_gif`, once the episode is over."""
    return file_response(request.headers, await files.episode_file(caller, run_id, episode, GIF), "image/gif")


@router.get(
    "/episodes/{episode}/video",
    summary="The episode as an MP4",
    response_class=StreamingResponse,
    responses=_binary("video/mp4", "The video"),
)
async def get_video(
    run_id: UUID, episode: EpisodeIndex, files: Files, caller: CurrentCaller, request: Request
) -> Response:
    """Of a run with `save_video`, once the episode is over."""
    return file_response(request.headers, await files.episode_file(caller, run_id, episode, VIDEO), "video/mp4")


@router.get(
    "/episodes/{episode}/frame",
    summary="The newest frame",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG"}},
)
async def get_frame(run_id: UUID, episode: EpisodeIndex, files: Files, caller: CurrentCaller) -> Response:
    """Of a run with `save_gif` or `save_video`, while it plays and afterwards."""
    picture = await files.frame(caller, run_id, episode)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get(
    "/episodes/{episode}/raw_outputs",
    summary="Reflection and action of every step",
    responses=RAW_OUTPUTS,
)
async def get_raw_outputs(
    run_id: UUID, episode: EpisodeIndex, runs: Runs, caller: CurrentCaller
) -> dict[str, dict[str, Any]]:
    """By step number, as in the raw-outputs files of an experiment's folder."""
    return await runs.raw_outputs(caller, run_id, episode)


@router.get("/metrics", summary="The figures of a run")
async def get_metrics(run_id: UUID, runs: Runs, caller: CurrentCaller) -> Metrics:
    """So far while it runs, final afterwards. Failed episodes are counted and left out of the averages."""
    return await runs.metrics(caller, run_id)


@router.get(
    "/archive",
    summary="Everything in one zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The folder that an experiment writes"}},
)
async def get_archive(run_id: UUID, files: Files, caller: CurrentCaller) -> StreamingResponse:
    """config.yaml, results.json, and the GIF, video and raw outputs of each episode; run.json, episodes.jsonl and
    steps.jsonl hold all that it takes to play the run again. `gym-llm replay` verifies an archive, `POST /runs/import`
    takes one in."""
    return Download(await files.archive(caller, run_id), filename=f"run_{run_id}.zip", media_type="application/zip")
