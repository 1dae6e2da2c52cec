"""Gymnasium's toy-text environments in words. See README.md."""

import gymnasium as gym

gym.register(id="BlackjackLLM-v1", entry_point="env_plugins.toy_text.blackjack:BlackjackLLM")
gym.register(
    id="TaxiLLM-v3",
    entry_point="env_plugins.toy_text.taxi:TaxiStateLLM",
    max_episode_steps=50,
    reward_threshold=8,
)
gym.register(
    id="TaxiLLM-v4",
    entry_point="env_plugins.toy_text.taxi:TaxiLLM",
    max_episode_steps=200,
    reward_threshold=8,
)
gym.register(
    id="FrozenLakeLLM-v1",
    entry_point="env_plugins.toy_text.frozen_lake:FrozenLakeLLM",
    max_episode_steps=100,
    reward_threshold=0.7,
)
gym.register(
    id="FrozenLake8x8LLM-v1",
    entry_point="env_plugins.toy_text.frozen_lake:FrozenLake8x8LLM",
    max_episode_steps=200,
    reward_threshold=0.85,
)
gym.register(
    id="CliffWalkingLLM-v1",
    entry_point="env_plugins.toy_text.cliff_walking:CliffWalkingLLM",
    max_episode_steps=200,
)
gym.register(
    id="CliffWalkingSlipperyLLM-v1",
    entry_point="env_plugins.toy_text.cliff_walking:CliffWalkingSlipperyLLM",
    max_episode_steps=500,
)
# Two shapes of one taxi, not an old and a new version: under one name, Gymnasium would warn whoever makes v3 that it is
# out of date.
for _id in ("TaxiLLM-v3", "TaxiLLM-v4"):
    gym.registry[_id].name = _id
