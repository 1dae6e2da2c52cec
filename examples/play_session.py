"""The agent here, the environment elsewhere: a session plays it, and every step is stored and streamed."""

import os
import sys

import httpx


def main(url: str, environment: str) -> float:
    """Play one episode by a rule of your own; its total reward."""
    key = os.environ.get("GYM_LLM_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=600) as client:
        session = client.post("/sessions", json={"environment": {"name": environment}}).raise_for_status().json()
        step = {"observation": session["observation"], "terminated": False, "truncated": False}
        while not (step["terminated"] or step["truncated"]):
            leaning = step["observation"]["pole_angle"] + step["observation"]["pole_angular_velocity"]
            move = {"action": int(leaning > 0), "reflection": f"The pole leans by {leaning:.2f}: follow it."}
            step = client.post(f"/sessions/{session['id']}/step", json=move).raise_for_status().json()
        client.delete(f"/sessions/{session['id']}")
    return float(step["total_reward"])


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    print("total reward", main(address, "CartPoleLLM-v1"))
