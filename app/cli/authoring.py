"""Commands for authors of environments: a new plugin, and what is wrong with one.

The library takes a second to import, so only the commands that need it do.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.exits import FAILED, USAGE, CommandError
from app.cli.plugin_template import environment_id, write_plugin
from app.cli.tables import one_line

if TYPE_CHECKING:
    from gym_llm.check import Finding

PLUGINS = Path("env_plugins")


def new_environment(
    name: Annotated[str, typer.Argument(help="Of the plugin's folder, such as cave_walk.", show_default=False)],
    folder: Annotated[Path, typer.Option(help="Where plugins are.")] = PLUGINS,
    tests: Annotated[
        Path | None, typer.Option(help="Where its test goes; default: tests/ beside the folder.", show_default=False)
    ] = None,
) -> None:
    """Write a small working plugin, to be changed into your own: environment, README and test.

    Examples:

    \b
    gym-llm new-environment cave_walk
    gym-llm new-environment cave_walk --folder ~/plugins
    """
    for path in write_plugin(name, folder, tests or folder.parent / "tests" / folder.name):
        typer.echo(path)
    typer.echo(f"Next: gym-llm check-environment {environment_id(name)} --folder {folder}", err=True)


def check_environment(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Of an environment.", show_default=False)] = None,
    all_plugins: Annotated[bool, typer.Option("--all", help="Check every environment of the plugins.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Load the plugins of this folder too.", show_default=False)
    ] = None,
) -> None:
    """Check whether an environment is fit for language models, and say how to mend what is not.

    Exit code 0: no errors, though there may be warnings; 1: errors.

    Examples:

    \b
    gym-llm check-environment LunarLanderLLM-v3
    gym-llm check-environment Acrobot-v1
    gym-llm check-environment CaveWalkLLM-v0 --folder ~/plugins
    gym-llm check-environment --all
    """
    import env_plugins
    from gym_llm.check import check
    from gym_llm.errors import ConfigError

    if (id is None) is not all_plugins:
        raise CommandError("give the ID of an environment, or --all", USAGE)
    if folder is not None:
        if not folder.is_dir():
            raise CommandError(f"--folder: {folder} is no folder", USAGE)
        env_plugins.load(folder)
    ids = [id] if id is not None else sorted(id for ids in env_plugins.plugins.values() for id in ids)
    found: dict[str, list[Finding]] = {}
    for each in ids:
        try:
            found[each] = check(each)
        except ConfigError as error:
            raise CommandError(str(error), USAGE) from None
    Console().print(_findings_table(found))
    failures = env_plugins.failures if all_plugins else {}
    for plugin, failure in failures.items():
        typer.echo(f"plugin {plugin} does not load: {type(failure).__name__}: {one_line(failure)}", err=True)
    if failures or any(finding.severity == "error" for findings in found.values() for finding in findings):
        raise typer.Exit(FAILED)


def _findings_table(found: "dict[str, list[Finding]]") -> Table:
    table = Table("environment", "", "about", "what is wrong", "how to mend it", show_lines=True)
    for id, findings in found.items():
        if not findings:
            table.add_row(id, Text("good", "green"))
        for finding in findings:
            severity = Text(finding.severity, "red" if finding.severity == "error" else "yellow")
            cells = (Text(one_line(text)) for text in (finding.check, finding.problem, finding.advice))
            table.add_row(id, severity, *cells)
    return table
