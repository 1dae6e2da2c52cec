"""Environments that harm their process, each in its own way: this plugin is isolated."""

import gymnasium as gym

print("a plugin may print while it is imported")
gym.register(id="WallsLLM-v0", entry_point="env_plugins.walls.envs:Walls", max_episode_steps=50, reward_threshold=100.0)
gym.register(id="WallsLLM-v1", entry_point="env_plugins.walls.envs:Walls", nondeterministic=True, kwargs={"length": 4})
gym.register(id="Wordless-v0", entry_point="env_plugins.walls.envs:Wordless")
for _id in ("WallsLLM-v0", "WallsLLM-v1"):
    gym.registry[_id].name = _id
