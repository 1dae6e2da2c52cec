"""HTTP of what a run leaves behind: GIFs, videos, frames, raw outputs, metrics, archive."""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app.artifacts.metrics import Metrics
from app.deps import Owner
from app.errors import InvalidRequestError, NotFoundError
from app.problems import documented
from app.runs.files import RunFiles
from app.runs.routes import EpisodeIndex, Runs
from gym_llm.results import GIF, VIDEO


def run_files(request: Request) -> RunFiles:
    files: RunFiles = request.app.state.files
    return files


Files = Annotated[RunFiles, Depends(run_files)]

router = APIRouter(prefix="/runs/{run_id}", tags=["results"], responses=documented(NotFoundError, InvalidRequestError))


def _binary(media_type: str, what: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"content": content, "description": what},
        206: {"content": content, "description": "The range that was asked for"},
        304: {"description": "Not changed since the ETag in `If-None-Match`"},
    }


def _file(request: Request, path: Path, media_type: str) -> Response:
    stat = path.stat()
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=media_type, headers=headers, stat_result=stat)


@router.get(
    "/episodes/{episode}/gif",
    summary="The episode as a GIF",
    response_class=FileResponse,
    responses=_binary("image/gif", "The GIF: one frame a step, captioned if that was asked for"),
)
async def get_gif(run_id: UUID, episode: EpisodeIndex, files: Files, owner: Owner, request: Request) -> Response:
    """Of a run with `save_gif`, once the episode is over."""
    return _file(request, await files.episode_file(owner, run_id, episode, GIF), "image/gif")


@router.get(
    "/episodes/{episode}/video",
    summary="The episode as an MP4",
    response_class=FileResponse,
    responses=_binary("video/mp4", "The video"),
)
async def get_video(run_id: UUID, episode: EpisodeIndex, files: Files, owner: Owner, request: Request) -> Response:
    """Of a run with `save_video`, once the episode is over."""
    return _file(request, await files.episode_file(owner, run_id, episode, VIDEO), "video/mp4")


@router.get(
    "/episodes/{episode}/frame",
    summary="The newest frame",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A PNG"}},
)
async def get_frame(run_id: UUID, episode: EpisodeIndex, files: Files, owner: Owner) -> Response:
    """Of a run with `save_gif` or `save_video`, while it plays and afterwards."""
    picture = await files.frame(owner, run_id, episode)
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get(
    "/episodes/{episode}/raw_outputs",
    summary="Reflection and action of every step",
    responses={
        200: {
            "content": {
                "application/json": {"example": {"1": {"reflection": "Falling slowly: no engine yet.", "action": 0}}}
            }
        }
    },
)
async def get_raw_outputs(run_id: UUID, episode: EpisodeIndex, runs: Runs, owner: Owner) -> dict[str, dict[str, Any]]:
    """By step number, as in the raw-outputs files of an experiment's folder."""
    return await runs.raw_outputs(owner, run_id, episode)


@router.get("/metrics", summary="The figures of a run")
async def get_metrics(run_id: UUID, runs: Runs, owner: Owner) -> Metrics:
    """So far while it runs, final afterwards. Failed episodes are counted and left out of the averages."""
    return await runs.metrics(owner, run_id)


@router.get(
    "/archive",
    summary="Everything in one zip",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The folder that an experiment writes"}},
)
async def get_archive(run_id: UUID, files: Files, owner: Owner) -> FileResponse:
    """config.yaml, results.json, and the GIF, video and raw outputs of each episode."""
    path = await files.archive(owner, run_id)
    return FileResponse(
        path, media_type="application/zip", filename=f"run_{run_id}.zip", background=BackgroundTask(path.unlink)
    )
