"""Gymnasium's classic control environments in words. See README.md."""

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
gym.register(
    id="MountainCarContinuousLLM-v0",
    entry_point="env_plugins.classic_control.mountain_car_continuous:MountainCarContinuousLLM",
    max_episode_steps=999,
    reward_threshold=90,
)
gym.register(
    id="AcrobotLLM-v1",
    entry_point="env_plugins.classic_control.acrobot:AcrobotLLM",
    max_episode_steps=500,
    reward_threshold=-100,
)
gym.register(
    id="PendulumLLM-v1",
    entry_point="env_plugins.classic_control.pendulum:PendulumLLM",
    max_episode_steps=200,
)
