"""HTTP of environments and backends: what there is to play, and what can play it."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.environments.catalog import Catalog
from app.environments.schemas import EnvironmentList, EnvironmentView
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from app.problems import documented


def catalog(request: Request) -> Catalog:
    environments: Catalog = request.app.state.catalog
    return environments


Environments = Annotated[Catalog, Depends(catalog)]

router = APIRouter(prefix="/environments", tags=["environments"])


@router.get("", summary="List environments")
async def list_environments(environments: Environments) -> EnvironmentList:
    """Every environment that can be played, in its newest version, and why plugins failed to load."""
    return EnvironmentList(data=await environments.list())


@router.get(
    "/{id:path}/preview",
    summary="The first frame",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "A PNG"},
        304: {"description": "Not changed since the ETag in `If-None-Match`"},
        **documented(NotFoundError, ConflictError, InvalidRequestError),
    },
)
async def get_preview(id: str, environments: Environments, request: Request) -> Response:
    """A picture of the environment right after its reset."""
    picture = await environments.preview(id)
    etag = f'"{hashlib.sha256(picture).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(picture, media_type="image/png", headers=headers)


@router.get("/{id:path}", summary="Get an environment", responses=documented(NotFoundError, InvalidRequestError))
async def get_environment(id: str, environments: Environments) -> EnvironmentView:
    """Its definition in words, its spaces as JSON Schema, its limits and the arguments it takes."""
    return await environments.get(id)
