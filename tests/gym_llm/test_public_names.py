"""What `import gym_llm` gives."""

import subprocess
import sys

import gym_llm


def test_the_promised_names_are_there() -> None:
    assert set(gym_llm.__all__) == {
        "Agent",
        "LLMEnv",
        "adapt",
        "get_env",
        "get_env_definition",
        "parse_config",
        "play",
        "run_experiment",
    }
    assert all(hasattr(gym_llm, name) for name in gym_llm.__all__)


def test_the_library_needs_no_web_and_no_database() -> None:
    loaded = "import gym_llm, sys; print([m for m in ('app', 'fastapi', 'sqlalchemy', 'uvicorn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
