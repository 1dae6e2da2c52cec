import httpx

from tests.app.running import until


async def test_it(client: httpx.AsyncClient):
    body = {
        "name": "b",
        "agents": [
            {"backend": "baseline", "model": "random"},
            {"backend": "baseline", "model": "heuristic", "name": "h", "grid": {"history": [5, 6]}},
        ],
        "environments": [{"name": "Counting-v0"}, {"name": "CartPoleLLM-v1"}],
        "experiment": {"num_runs": 3, "max_steps": 20},
    }
    r = await client.post("/batches", json=body)
    assert r.status_code == 202, r.text
    b = await until(client, f"/batches/{r.json()['id']}", lambda b: b["finished_at"])
    print(b)
    assert b["status"] == "succeeded"
    print((await client.get(f"/batches/{b['id']}/events")).text)
    assert (await client.get("/batches")).json()["data"][0]["id"] == b["id"]
    assert len((await client.get("/runs", params={"batch": b["id"]})).json()["data"]) == 6
