"""The report as one HTML page that needs nothing else: no script, no network."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from app.artifacts.report import words
from app.artifacts.report.model import BatchReport
from app.artifacts.report.plots import differences_plot, returns_plot

EMBEDDED_BYTES = 64 * 2**20
"""Of all GIFs together, in one page; those beyond are linked to."""
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("app.artifacts.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = _ENVIRONMENT.get_template("report.css").render()

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' data:; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
"""What the page asks of a browser itself; fit for the header too."""


def report_html(report: BatchReport, gifs: Mapping[str, bytes] | None = None) -> str:
    """The page, with plots as SVG.

    Args:
        report: what it shows.
        gifs: the content of the GIFs that `typical_gifs` names, to put into the page; those that are missing here are
            linked to where they are.
    """
    held = {address: f"data:image/gif;base64,{b64encode(gif).decode()}" for address, gif in (gifs or {}).items()}
    return _ENVIRONMENT.get_template("report.html").render(
        report=report,
        plots=[(returns_plot(environment), differences_plot(environment)) for environment in report.environments],
        gifs=held,
        words=words,
        # A constant of ours, and the only thing that is not escaped.
        style=Markup(_STYLE),  # noqa: S704
        policy=CONTENT_SECURITY_POLICY,
        pretty=_pretty,
    )


def typical_gifs(report: BatchReport) -> list[str]:
    """The addresses of the GIFs that the page shows: one a cell, where it has one."""
    shown = [cell.typical.gif for _, cell in report.cells() if cell.typical is not None]
    return list(dict.fromkeys(gif for gif in shown if gif is not None))


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
