"""Audits of recorded episodes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import gymnasium as gym
import pytest

from gym_llm.agent import Agent
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, play
from gym_llm.verify import RecordedStep, Verdict, verify
from tests.fakes import CountingEnv, FakeBackend, answer

SEED = 7


async def recorded(max_steps: int | None = None) -> list[RecordedStep]:
    env = EnvRunner(CountingEnv())
    backend = FakeBackend(lambda question: answer(question.step % 3))
    agent = Agent({"history": 2}, **env.definition, backend=backend)
    steps = [step async for step in play(env, agent, seed=SEED, max_steps=max_steps)]
    await env.close()
    return [
        RecordedStep(PastStep(step.digest, step.decision, step.reward), step.terminated, step.truncated)
        for step in steps
    ]


async def each(steps: Sequence[RecordedStep]) -> AsyncIterator[RecordedStep]:
    for step in steps:
        yield step


async def check(steps: Sequence[RecordedStep], length: int = 5, seed: int = SEED) -> Verdict:
    return await verify(lambda: CountingEnv(length=length), seed, each(steps))


async def test_a_true_record_is_verified_to_its_end():
    verdict = await check(await recorded())
    assert (verdict.verified, verdict.steps, verdict.step) == (True, 5, None)
    assert verdict.last is not None
    assert verdict.last.total_reward == 1 + 2 + 0 + 1 + 2
    assert verdict.last.next_observation["count"] == 5


async def test_a_record_that_was_cut_short_is_verified_as_far_as_it_goes():
    assert (await check(await recorded(max_steps=3))).steps == 3
    interrupted = (await recorded())[:2]
    assert (await check(interrupted)).verified
    assert (await check([])) == Verdict(0)


@pytest.mark.parametrize("what", ["observation", "reward", "action", "end", "truncation"])
async def test_the_first_difference_is_found(what: str):
    steps = await recorded()
    third = steps[2]
    match what:
        case "observation":
            steps[2] = replace(third, past=replace(third.past, digest="0" * 24))
        case "reward" | "action":
            steps[2] = replace(third, past=replace(third.past, reward=0.5))
        case "end":
            steps[2] = replace(third, terminated=True)
    if what == "action":  # Another one was taken than is recorded, which earns something else.
        decision = replace(third.past.decision, action=2)
        steps[2] = replace(third, past=replace(third.past, decision=decision, reward=third.past.reward))
    if what == "truncation":
        verdict = await verify(lambda: gym.wrappers.TimeLimit(CountingEnv(), 3), SEED, each(steps))
        assert verdict.problem == "the environment truncates the episode here, which is not recorded"
    else:
        verdict = await check(steps)
    assert (verdict.verified, verdict.steps, verdict.step) == (False, 2, 3)
    if what in ("observation", "reward", "action"):
        assert verdict.problem == f"its {'observation' if what == 'observation' else 'reward'} differs"


async def test_another_seed_and_another_length_are_found():
    steps = await recorded()
    assert (await check(steps, seed=8)).problem == "its observation differs"
    assert (await check(steps, length=4)).step == 4
    after_the_end = [*steps, steps[-1]]
    assert (await check(after_the_end)).problem == "it is recorded, but the episode ends before it"


async def test_actions_outside_the_space_are_a_finding():
    steps = await recorded()
    decision = replace(steps[0].past.decision, action=99)
    steps[0] = replace(steps[0], past=replace(steps[0].past, decision=decision))
    verdict = await check(steps)
    assert not verdict.verified
    assert verdict.problem
    assert "action" in verdict.problem


async def test_what_can_not_repeat_itself_is_told_as_such():
    class Dice(CountingEnv):
        spec = gym.envs.registration.EnvSpec("Dice-v0", nondeterministic=True)

    verdict = await verify(Dice, SEED, each(await recorded()))
    assert (verdict.verified, verdict.nondeterministic, verdict.steps) == (False, True, 0)


async def test_an_environment_that_can_not_be_made_is_a_finding():
    def broken() -> CountingEnv:
        raise RuntimeError("no display")

    verdict = await verify(broken, SEED, each(await recorded()))
    assert verdict.problem == "cannot be made: RuntimeError: no display"
