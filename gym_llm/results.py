"""The results of an experiment, and the names of its files."""

import math
from collections.abc import Sequence
from typing import Any

CONFIG_FILE = "config.yaml"
RESULTS_FILE = "results.json"
GIF, VIDEO, LAST_FRAME, RAW_OUTPUTS, LESSONS = ".gif", ".mp4", ".png", "_raw_outputs.json", "_lessons.json"
"""What the names of an episode's files end in."""


def episode_file(episode: int, seed: int, suffix: str) -> str:
    """The name of a file that belongs to one episode, such as `run_0_seed_0.gif`."""
    return f"run_{episode}_seed_{seed}{suffix}"


def results(total_rewards: Sequence[float], total_steps: Sequence[int]) -> dict[str, Any]:
    """What `results.json` holds: rewards and steps of each finished episode, and their averages (null of nothing)."""
    count = len(total_rewards)
    return {
        "total_rewards": list(total_rewards),
        "total_steps": list(total_steps),
        "avg_reward": math.fsum(total_rewards) / count if count else None,
        "avg_steps": sum(total_steps) / count if count else None,
    }
