"""Gymnasium's CartPole-v1 and MountainCar-v0 in words. See README.md."""

import gymnasium as gym

gym.register(
    id="CartPoleLLM-v1",
    entry_point="env_plugins.classic_control.cart_pole:CartPoleLLM",
    max_episode_steps=500,
    reward_threshold=475,
)
gym.register(
    id="MountainCarLLM-v0",
    entry_point="env_plugins.classic_control.mountain_car:MountainCarLLM",
    max_episode_steps=200,
    reward_threshold=-110,
)
