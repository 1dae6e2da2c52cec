"""Bodies of requests: JSON, or the YAML of the configuration files, checked before any of it is used."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Annotated, Any, TypeVar

import orjson
import yaml
from fastapi import Request
from pydantic import BaseModel, Discriminator, Field, Tag, ValidationError

from app.access import Caller
from app.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaTypeError
from app.problems import CHOICE, invalid_request
from gym_llm.config import AgentConfig

JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
REFUSALS = (MalformedBodyError, BodyTooLargeError, UnsupportedMediaTypeError)
"""How reading a body can end, besides a wrong field."""

AgentName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$", description="Of a registered agent.")]
_SECTION, _NAME = f"{CHOICE}section", f"{CHOICE}name"
Section = TypeVar("Section", bound=AgentConfig)
SectionOrName = Annotated[
    Annotated[Section, Tag(_SECTION)] | Annotated[AgentName, Tag(_NAME)],
    Discriminator(lambda value: _NAME if isinstance(value, str) else _SECTION),
]
"""The section of an agent itself, or the name of a registered one."""
AgentReference = SectionOrName[AgentConfig]
"""The `agent` of a request."""

FindAgent = Callable[[Caller, AgentConfig | str], Awaitable[AgentConfig]]
"""The section that the `agent` of a caller's request stands for; `InvalidRequestError` where there is none."""

Model = TypeVar("Model", bound=BaseModel)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _PlainLoader(yaml.SafeLoader):
    # Without aliases: a few hundred bytes of them can stand for gigabytes.
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


def body_of(model: type[Model], *, optional: bool = False) -> Callable[[Request], Awaitable[Model]]:
    """The dependency that reads a `model` from a request; an `optional` one may be left out, defaults and all."""

    async def read(request: Request) -> Model:
        return await read_model(request, model, optional=optional)

    return read


def documented_body(
    model: type[BaseModel], yaml_example: str | None = None, *, optional: bool = False
) -> dict[str, Any]:
    """The `openapi_extra` of a route with `body_of`: FastAPI can't see that this dependency reads the body."""
    schema = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
    example = {"example": yaml_example} if yaml_example else {}
    content = {"application/json": schema, "application/yaml": schema | example}
    return {"requestBody": {"required": not optional, "content": content}}


def body_schemas(*models: type[BaseModel]) -> dict[str, Any]:
    """What the references in `documented_body` stand for."""
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}-Input")
        found |= {f"{name}-Input": part for name, part in schema.pop("$defs", {}).items()} | {model.__name__: schema}
    return found


async def read_model(request: Request, model: type[Model], *, optional: bool = False) -> Model:
    """The checked body of a request.

    Raises:
        MalformedBodyError: it is neither JSON nor YAML, or no mapping.
        UnsupportedMediaTypeError: its content type is another.
        InvalidRequestError: a field is wrong.
    """
    kind = request.headers.get("content-type", JSON_TYPES[0]).split(";")[0].strip().lower()
    if kind not in JSON_TYPES + YAML_TYPES:
        raise UnsupportedMediaTypeError("Send application/json or application/yaml.")
    body = await read_body(request, request.app.state.settings.max_body_bytes)
    if optional and not body:
        return model()
    try:
        # In a thread, as PyYAML takes seconds for the largest body. _PlainLoader is as safe as its parent.
        values = orjson.loads(body) if kind in JSON_TYPES else await asyncio.to_thread(yaml.load, body, _PlainLoader)
    except orjson.JSONDecodeError as error:
        raise MalformedBodyError(f"Not valid JSON: line {error.lineno}, column {error.colno}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark else ""
        raise MalformedBodyError(f"Not valid YAML{where}.") from None
    if not isinstance(values, Mapping):
        raise MalformedBodyError(f"The body must be an object with the keys {', '.join(model.model_fields)}.")
    try:
        storable = not _NUL.search(orjson.dumps(values))
    except TypeError:
        storable = False
    if not storable:
        raise MalformedBodyError("Only what JSON can say is accepted, and no NUL character.")
    return checked(model, values)


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """`values` as a `model`.

    Raises:
        InvalidRequestError: a field is wrong.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid_request(error.errors(include_input=False, include_url=False, include_context=False)) from None


def fingerprint(body: BaseModel, *, without: Collection[str] = (), **beside: Any) -> str:
    """Is the same for bodies that ask for the same: also where one of them spells a default out, or was sent to an
    earlier version, which did not have a field.

    Args:
        body: checked.
        without: its fields that do not matter.
        beside: what matters too.
    """
    asked = body.model_dump(exclude=set(without), exclude_defaults=True) | beside
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def read_body(request: Request, limit: int) -> bytes:
    """The body, read no further than `limit` bytes.

    Raises:
        BodyTooLargeError: there is more.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLargeError(f"At most {limit} bytes are accepted.")
    return bytes(body)
