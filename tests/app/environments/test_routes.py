"""What there is to play."""

import io

import httpx
from PIL import Image


async def test_every_environment_is_listed_and_what_failed_to_load(client: httpx.AsyncClient):
    listed = (await client.get("/environments")).json()
    assert not listed["has_more"]
    by_id = {view["id"]: view for view in listed["data"] if view["id"]}
    assert by_id.keys() >= {"LunarLanderLLM-v3", "LunarLanderLLM-v2", "CartPoleLLM-v1", "MountainCarLLM-v0"}
    lander = by_id["LunarLanderLLM-v3"]
    assert lander["load_error"] is None
    assert lander["plugin"] == "lunar_lander"
    assert (lander["max_steps"], lander["reward_threshold"]) == (1000, 200)
    assert set(lander["definition"]["action_schema"]) == {"0", "1", "2", "3"}
    assert "x" in lander["definition"]["observation_schema"]
    assert lander["definition"]["goal_description"]
    assert lander["action_space"]["enum"] == [0, 1, 2, 3]
    assert lander["heuristic"]
    failed = [view for view in listed["data"] if view["id"] is None]
    assert [view["plugin"] for view in failed] == ["unloadable"]
    assert failed[0]["load_error"] == "ImportError: no simulator here"
    assert (await client.get("/environments/LunarLanderLLM-v3")).json() == lander


async def test_arguments_are_listed(client: httpx.AsyncClient):
    view = (await client.get("/environments/Counting-v0")).json()
    assert view["allowed_kwargs"] == {
        "length": {"type": "int", "default": 5, "required": False},
        "label": {"type": "str", "default": "plain", "required": False},
        "odds": {"type": "float", "default": 0.5, "required": False},
    }
    blind = (await client.get("/environments/Blind-v0")).json()
    assert "EnvError" in blind["load_error"]
    assert blind["definition"] is None


async def test_a_preview_is_a_picture_with_an_etag(client: httpx.AsyncClient):
    response = await client.get("/environments/Counting-v0/preview")
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == (12, 8)
    again = await client.get("/environments/Counting-v0/preview", headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    stale = await client.get("/environments/Counting-v0/preview", headers={"If-None-Match": '"other"'})
    assert stale.content == response.content


async def test_what_has_no_preview(client: httpx.AsyncClient):
    assert (await client.get("/environments/Blind-v0/preview")).status_code == 409
    for id in ("Nowhere-v0", "GymV21Environment-v0", "os:environ", "..%2f..%2fetc"):
        for path in (f"/environments/{id}", f"/environments/{id}/preview"):
            response = await client.get(path)
            assert response.status_code == 404
            assert response.headers["content-type"] == "application/problem+json"
