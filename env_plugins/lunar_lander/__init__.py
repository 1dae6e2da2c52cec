"""Gymnasium's LunarLander-v3 and LunarLanderContinuous-v3 in words. See README.md."""

import gymnasium as gym

from env_plugins.lunar_lander.env import LunarLanderArraysLLM, LunarLanderContinuousLLM, LunarLanderLLM

gym.register(
    id="LunarLanderLLM-v3",
    entry_point="env_plugins.lunar_lander.env:LunarLanderLLM",
    max_episode_steps=LunarLanderLLM.max_steps,
    reward_threshold=200,
)
gym.register(
    id="LunarLanderLLM-v2",
    entry_point="env_plugins.lunar_lander.env:LunarLanderArraysLLM",
    max_episode_steps=LunarLanderArraysLLM.max_steps,
    reward_threshold=200,
)
gym.register(
    id="LunarLanderContinuousLLM-v3",
    entry_point="env_plugins.lunar_lander.env:LunarLanderContinuousLLM",
    max_episode_steps=LunarLanderContinuousLLM.max_steps,
    reward_threshold=200,
)
# v3 and v2 are two shapes of one observation, not an old and a new version: under one name, Gymnasium would warn
# whoever makes v2 that it is out of date.
for _id in ("LunarLanderLLM-v3", "LunarLanderLLM-v2"):
    gym.registry[_id].name = _id
