"""From runs to a report."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson

from app.artifacts.report.labels import labels, unique
from app.artifacts.report.model import BatchReport, CellEpisode, ReportedCell, ReportedEnvironment, ReportedFailure
from app.artifacts.report.rows import ReportedRun
from gym_llm.statistics import cell_statistics, compare_agents, mean, scored

OVER = ("succeeded", "failed", "cancelled")
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def batch_report(
    runs: Sequence[ReportedRun],
    *,
    title: str,
    created_at: datetime,
    id: UUID | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> BatchReport:
    """The report of a batch; runs with the same agent and the same environment make one cell.

    Args:
        runs: in the order in which the report shows their agents and environments.
        title: of the report.
        created_at: when it was made; with a time zone.
        id: of the batch.
        configuration: what was asked for.
    """
    agents = _grouped(runs, lambda run: _canonical([run.agent_name, run.agent]))
    return _report(agents, title, created_at, id, configuration)


def compare(runs: Sequence[ReportedRun], *, created_at: datetime, title: str = "Comparison of runs") -> BatchReport:
    """Runs side by side: each is an agent of its own, even where two have the same configuration."""
    agents = _grouped(runs, lambda run: str(run.id))
    return _report(agents, title, created_at, None, {"runs": list(agents)})


def _report(
    agents: Mapping[str, Sequence[ReportedRun]],
    title: str,
    created_at: datetime,
    id: UUID | None,
    configuration: Mapping[str, Any] | None,
) -> BatchReport:
    runs = [run for of_agent in agents.values() for run in of_agent]
    names = _agent_names([of_agent[0] for of_agent in agents.values()])
    named = [(name, run) for name, of_agent in zip(names, agents.values(), strict=True) for run in of_agent]
    groups = _grouped(named, lambda pair: _canonical(_environment(pair[1])))
    tasks = [_environment(members[0][1]) for members in groups.values()]
    environments = [
        _reported_environment(name, task, members)
        for name, task, members in zip(labels(tasks, "name"), tasks, groups.values(), strict=True)
    ]
    return BatchReport(
        title=title,
        id=id,
        created_at=created_at,
        complete=all(run.status in OVER for run in runs),
        configuration=dict(configuration or {}),
        environments=environments,
        failures=[
            failure
            for environment, members in zip(environments, groups.values(), strict=True)
            for name, run in members
            for failure in _failures(environment.name, name, run)
        ],
    )


def _agent_names(firsts: Sequence[ReportedRun]) -> list[str]:
    made = iter(labels([run.agent for run in firsts if run.agent_name is None], "model"))
    return unique([next(made) if run.agent_name is None else run.agent_name for run in firsts])


def _environment(run: ReportedRun) -> dict[str, Any]:
    return {
        "name": run.environment["name"],
        "kwargs": run.environment.get("kwargs") or None,
        "max_steps": run.max_steps,
    }


def _reported_environment(
    name: str, configuration: dict[str, Any], members: Sequence[tuple[str, ReportedRun]]
) -> ReportedEnvironment:
    cells = _grouped(members, lambda pair: pair[0])
    episodes = {
        agent: [CellEpisode(**dict(episode), run_id=run.id) for _, run in of_agent for episode in run.episodes]
        for agent, of_agent in cells.items()
    }
    threshold = next((run.reward_threshold for _, run in members if run.reward_threshold is not None), None)
    random = mean([e.total_reward for agent, run in _randoms(cells) for e in scored(run.episodes)])
    return ReportedEnvironment(
        name=name,
        configuration=configuration,
        reward_threshold=threshold,
        random=random,
        cells=[
            ReportedCell(
                agent=agent,
                configuration=of_agent[0][1].agent,
                runs=[run.id for _, run in of_agent],
                statistics=cell_statistics(episodes[agent], random=random, reward_threshold=threshold),
                typical=_typical(episodes[agent]),
                episodes=episodes[agent],
            )
            for agent, of_agent in cells.items()
        ],
        comparisons=compare_agents(episodes),
    )


def _randoms(cells: Mapping[str, Sequence[tuple[str, ReportedRun]]]) -> list[tuple[str, ReportedRun]]:
    """The runs of the first random agent; others, with another action rate say, are agents like any."""
    for members in cells.values():
        agent = members[0][1].agent
        if agent.get("backend") == "baseline" and agent.get("model") == "random":
            return list(members)
    return []


def _typical(episodes: Sequence[CellEpisode]) -> CellEpisode | None:
    counted = [episode for episode in episodes if episode.status == "succeeded"]
    shown = [episode for episode in counted if episode.gif is not None]
    if not shown:
        return None
    median = statistics.median(episode.total_reward for episode in counted)
    return min(shown, key=lambda episode: (abs(episode.total_reward - median), episode.seed))


def _failures(environment: str, agent: str, run: ReportedRun) -> list[ReportedFailure]:
    of_run: dict[str, Any] = {"environment": environment, "agent": agent, "run_id": run.id}
    found = [
        ReportedFailure(**of_run, episode=each.episode, seed=each.seed, error=each.error)
        for each in run.episodes
        if each.error is not None
    ]
    # Where an episode ends a run, the run repeats its error.
    if run.error is not None and all(failure.error != run.error for failure in found):
        found.append(ReportedFailure(**of_run, episode=None, seed=None, error=run.error))
    return found


def _grouped(items: Sequence[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _canonical(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
