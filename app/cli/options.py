"""Options that many commands have."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.exits import FAILED, INTERRUPTED, SUCCESS, UNREACHABLE, USAGE

DEFAULT_URL = "http://127.0.0.1:8000"
EXIT_CODES = (
    f"Exit codes: {SUCCESS} success; {FAILED} the run or experiment failed; {USAGE} wrong usage or invalid "
    f"configuration; {UNREACHABLE} the service can't be reached; {INTERRUPTED} interrupted. "
    "Errors are one line on standard error."
)

RunId = Annotated[UUID, typer.Argument(metavar="RUN_ID", show_default=False)]
Url = Annotated[str, typer.Option(envvar="GYM_LLM_URL", help="Address of the service.")]
OfBatch = Annotated[bool, typer.Option("--batch", help="The id is that of a batch.")]
