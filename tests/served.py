"""What test servers serve: the service as it is, and environments that misbehave."""

from pathlib import Path

from fastapi import FastAPI

import env_plugins
from app import main

PLUGINS = Path(__file__).parent / "plugins"


def create_app() -> FastAPI:
    env_plugins.load(PLUGINS)
    return main.create_app()
