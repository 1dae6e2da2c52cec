"""The forms of a report, and which of them a client wants."""

from collections.abc import Mapping
from typing import Literal

from app.artifacts.report.html import CONTENT_SECURITY_POLICY, report_html
from app.artifacts.report.markdown import report_markdown
from app.artifacts.report.model import BatchReport

Format = Literal["json", "markdown", "html"]
MEDIA_TYPES: dict[Format, str] = {"json": "application/json", "markdown": "text/markdown", "html": "text/html"}
HEADERS: dict[Format, Mapping[str, str]] = {
    "json": {},
    "markdown": {},
    "html": {"Content-Security-Policy": CONTENT_SECURITY_POLICY},
}


def accepted(accept: str) -> Format:
    """The form that an `Accept` header likes best. Of those that it likes alike, the one named first; JSON where it
    names none."""
    best: Format = "json"
    liked = 0.0
    for named in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in named.split(";"))
        quality = _quality(parameters)
        found = next((format for format, known in MEDIA_TYPES.items() if known == media_type), None)
        if found is not None and quality > liked:
            best, liked = found, quality
    return best


def written(report: BatchReport, format: Format, gifs: Mapping[str, bytes]) -> bytes:
    """The report in that form; `gifs` by address, for the page. Work for a core."""
    match format:
        case "json":
            return report.model_dump_json().encode()
        case "markdown":
            return report_markdown(report).encode()
        case "html":
            return report_html(report, gifs).encode()


def _quality(parameters: list[str]) -> float:
    try:
        return next((float(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
    except ValueError:
        return 0.0
