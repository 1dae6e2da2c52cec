"""The body of `POST /runs`: JSON, or the YAML of the configuration files."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import orjson
import yaml
from fastapi import Request
from pydantic import ValidationError

from app.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaTypeError
from app.problems import invalid_request
from app.runs.schemas import RunRequest

JSON_TYPES = ("application/json",)
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")

YAML_EXAMPLE = """\
agent:
    backend: 'ollama'
    model: 'llama3.1'
    temperature: .8
    history: 10
    action_rate: 1
environment:
    name: 'LunarLanderLLM-v3'
    kwargs: null
experiment:
    name: 'lunar_lander_llama3.1'
    seed: 0
    save_gif: true
    gif_fps: 30
    num_runs: 1
"""

DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/RunRequest"}},
            "application/yaml": {"schema": {"$ref": "#/components/schemas/RunRequest"}, "example": YAML_EXAMPLE},
        },
    }
}
"""For the OpenAPI page, which can't see that this dependency reads the body."""


def request_schemas() -> dict[str, Any]:
    """What the references in `DOCUMENTED` stand for."""
    request = RunRequest.model_json_schema(ref_template="#/components/schemas/{model}-Input")
    return {f"{name}-Input": part for name, part in request.pop("$defs").items()} | {"RunRequest": request}


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _PlainLoader(yaml.SafeLoader):
    # Without aliases: a few hundred bytes of them can stand for gigabytes.
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


async def run_request(request: Request) -> RunRequest:
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
        raise MalformedBodyError("The body must be an object with the keys agent, environment, experiment.")
    try:
        storable = not _NUL.search(orjson.dumps(values))
    except TypeError:
        storable = False
    if not storable:
        raise MalformedBodyError("Only what JSON can say is accepted, and no NUL character.")
    try:
        return RunRequest.model_validate(values)
    except ValidationError as error:
        raise invalid_request(error.errors(include_input=False, include_url=False, include_context=False)) from None


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
