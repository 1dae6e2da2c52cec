"""`run_experiment`, as a script that is measured."""

import argparse
from pathlib import Path
from typing import Any

import env_plugins  # noqa: F401 (registers the environments)
from benchmarks.children import play_on_command
from gym_llm import parse_config, run_experiment


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    config = parse_config(parser.parse_args().config)

    def play() -> dict[str, Any]:
        written = run_experiment(config)
        return {"steps": sum(written["total_steps"]), "folder": written["folder"]}

    play_on_command(play)


if __name__ == "__main__":
    main()
