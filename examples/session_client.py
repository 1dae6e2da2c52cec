"""Your environment here, the agent elsewhere: each observation goes to a session, and an action comes back."""

import os
import sys
from typing import Any

import gymnasium as gym
import httpx

FIELDS = {
    "position": "of the cart, from -2.4 to 2.4; beyond, the episode ends",
    "velocity": "of the cart",
    "angle": "of the pole in rad, 0 = upright, positive = leaning right; beyond 0.2095 the episode ends",
    "angular_velocity": "of the pole, positive = falling to the right",
}
DEFINITION = {
    "observation_schema": FIELDS,
    "action_schema": {"0": "Push the cart to the left.", "1": "Push the cart to the right."},
    "goal_description": "Keep the pole upright. Each step earns 1.",
}


def main(url: str, agent: dict[str, Any] | str) -> float:
    """Play one episode with an agent, which is a section or the name of a registered one; the total reward."""
    key = os.environ.get("GYM_LLM_API_KEY")
    env = gym.make("CartPole-v1", max_episode_steps=50)
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=600) as client:
        made = client.post("/sessions", json={"agent": agent, "definition": DEFINITION}).raise_for_status()
        path = made.headers["location"]
        values, _ = env.reset(seed=0)
        told, total = {}, 0.0  # Of the last step; there is none before the first.
        while True:
            observation = dict(zip(FIELDS, values.tolist(), strict=True))
            answer = client.post(f"{path}/act", json={"observation": observation, **told}).raise_for_status().json()
            if answer["action"] is None:  # It was told that the episode is over.
                break
            print(answer["action"], answer["reflection"])
            values, reward, terminated, truncated, _ = env.step(answer["action"])
            told = {"reward": float(reward), "terminated": terminated, "truncated": truncated}
            total += float(reward)
        client.delete(path)
    return total


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    print("total reward", main(address, {"backend": "baseline", "model": "random"}))
