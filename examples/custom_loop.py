"""The library without `run_experiment`: your own loop around an environment and an agent."""

import sys

import env_plugins  # noqa: F401  (registers the environments)
from gym_llm import Agent, get_env, get_env_definition, parse_config


def main(path: str) -> float:
    """Play one episode of the configuration at `path`; its total reward."""
    config = parse_config(path)
    env = get_env(config["environment"], render_mode=None)
    agent = Agent(config["agent"], **get_env_definition(env))
    seed = config["experiment"]["seed"]

    observation, _ = env.reset(seed=seed)
    agent.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        output, action = agent.get_action(observation)
        print(output["action"], output["reflection"])
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        over = terminated or truncated
    env.close()
    return total


if __name__ == "__main__":
    print("total reward", main(sys.argv[1] if len(sys.argv) > 1 else "configs/lunar_lander_heuristic.yaml"))
