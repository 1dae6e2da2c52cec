"""What commands print: tables on a terminal and off it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

MAX_ROWS = 20
Row = Mapping[str, Any]


def one_line(text: Any) -> str:
    """Text that came from a model or a plugin, safe to show: no line breaks, nothing that steers a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())


def episodes_table(episodes: Sequence[Row], metrics: Row) -> Table:
    """The episodes of a run, one a row, and their average.

    Args:
        episodes: with `episode`, `seed`, `num_steps`, `total_reward`, and `success` and `status` where they are known.
        metrics: with `avg_steps` and `avg_reward`, and `standard_error` and `success_rate` where they are known.
    """
    table = Table()
    for column in ("episode", "seed", "steps", "total reward"):
        table.add_column(column, justify="right")
    outcomes = [_outcome(episode) for episode in episodes[:MAX_ROWS]]
    if any(outcomes):
        table.add_column("success")
    for episode, outcome in zip(episodes, outcomes, strict=False):
        reward = f"{episode['total_reward']:.2f}"
        _add(table, str(episode["episode"]), str(episode["seed"]), str(episode["num_steps"]), reward, outcome)
    if len(episodes) > MAX_ROWS:
        _add(table, f"{len(episodes) - MAX_ROWS} more", "", "", "", "")
    table.add_section()
    error, rate = metrics.get("standard_error"), metrics.get("success_rate")
    reward = _number(metrics["avg_reward"], ".2f") + (f" ± {error:.2f}" if error is not None else "")
    _add(table, "average", "", _number(metrics["avg_steps"], ".1f"), reward, _number(rate, ".0%"))
    return table


def decisions_line(metrics: Row) -> str:
    """How the decisions of a run came about and what they took, in one line."""
    parts = [f"{metrics['decisions']} decisions"]
    if metrics["attempts"]:
        parts.append(f"{metrics['invalid_action_rate']:.1%} invalid at first")
        parts.append(f"{metrics['mean_latency_ms']:.0f} ms each")
    if metrics["prompt_tokens"]:
        cached = f" ({metrics['cached_tokens']:,} cached)" if metrics["cached_tokens"] else ""
        parts.append(f"{metrics['prompt_tokens']:,}{cached} + {metrics['completion_tokens']:,} tokens")
    if metrics["cost_usd"]:
        parts.append(f"{metrics['cost_usd']:.4f} USD")
    return ", ".join(parts)


def environments_table(environments: Sequence[Row]) -> Table:
    """Environments, and the plugins that failed to load."""
    table = Table("id", "plugin", "steps", "solved at", "baselines", "arguments")
    for environment in environments:
        if environment["load_error"] is not None:
            name = environment["id"] or "-"
            table.add_row(name, environment["plugin"], "", "", "", Text(one_line(environment["load_error"]), "red"))
            continue
        table.add_row(
            environment["id"],
            environment["plugin"],
            _number(environment["max_steps"], "d"),
            _number(environment["reward_threshold"], "g"),
            "heuristic, random" if environment["heuristic"] else "random",
            ", ".join(environment["allowed_kwargs"]) or "-",
        )
    return table


def audit_table(audited: Iterable[tuple[int, int, int, int, str]]) -> Table:
    """Episodes taken again, one a row: index, seed, steps verified, steps recorded, and what differs."""
    table = Table()
    for column in ("episode", "seed", "steps verified", "of"):
        table.add_column(column, justify="right")
    table.add_column("first difference")
    for *numbers, problem in audited:
        table.add_row(*map(str, numbers), Text(one_line(problem) or "none", "red" if problem else "green"))
    return table


def backends_table(backends: Sequence[Row]) -> Table:
    """Backends, whether they can be used, and their models."""
    table = Table("backend", "usable", "models")
    for backend in backends:
        usable = "yes" if backend["reachable"] else "no answer" if backend["configured"] else "not configured"
        models = ", ".join(map(one_line, backend["models"]))
        table.add_row(backend["name"], usable, Text(one_line(backend["detail"] or models)))
    return table


def agents_table(agents: Sequence[Row]) -> Table:
    """Registered agents."""
    table = Table("name", "backend", "model", "history", "owner", "changed")
    for agent in agents:
        section = agent["agent"]
        model = Text(one_line(section["model"]))
        changed = agent["updated_at"][:16].replace("T", " ")
        table.add_row(agent["name"], section["backend"], model, str(section["history"]), agent["owner"], changed)
    return table


def _outcome(episode: Row) -> str:
    if (status := episode.get("status", "succeeded")) != "succeeded":
        return str(status)
    success = episode.get("success")
    return "" if success is None else "yes" if success else "no"


def _add(table: Table, *cells: str) -> None:
    table.add_row(*cells[: len(table.columns)])


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
