"""The list of backends."""

from pathlib import Path

import httpx
import pytest

from app.bootstrap import build
from app.main import create_app
from app.settings import Settings
from tests.scripted_llm.fixtures import Serving

SECRET = "sk-a-secret-nobody-may-see"


async def test_backends_tell_whether_they_work_and_never_their_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted_llm: Serving
):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_llm.openai_url)
    monkeypatch.setenv("OLLAMA_HOST", f"http://user:{SECRET}@127.0.0.1:9")
    service = build(Settings(_env_file=None, data_dir=tmp_path))
    async with (
        service.running(),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(service=service)), base_url="http://localhost"
        ) as client,
    ):
        response = await client.get("/backends")
    found = {backend["name"]: backend for backend in response.json()["data"]}
    assert found.keys() == {"openai", "ollama", "baseline"}
    assert found["openai"] | {"configured": True, "reachable": True, "models": ["scripted"]} == found["openai"]
    assert not found["ollama"]["reachable"]
    assert found["ollama"]["detail"]
    assert set(found["baseline"]["models"]) == {"heuristic", "random"}
    assert SECRET not in response.text
