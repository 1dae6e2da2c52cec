"""Many episodes at a time: which one is next, and what one that fails means for the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

from gym_llm.errors import BudgetExceededError, EnvError, GymLLMError, OutOfTimeError


async def play_all(
    episodes: Iterable[int],
    play_one: Callable[[int], Awaitable[None]],
    failed: Callable[[int, GymLLMError], Awaitable[None]],
    *,
    concurrency: int,
    seconds: float | None,
) -> None:
    """Play episodes in their order, at most `concurrency` at a time.

    Each failure of gym-llm's own kinds is handed to `failed`. After an `EnvError` the other episodes go on: the next
    seed may fare better with the same environment. After any other they stop, as they would fail the same way.

    Raises:
        OutOfTimeError: not done after `seconds`.
        GymLLMError: the failure that stopped the other episodes, the end of the budget included.
        Exception: whatever else went wrong in `play_one`, the first of it.
    """
    left = iter(episodes)
    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as players:
            for _ in range(concurrency):
                players.create_task(_play_each(left, play_one, failed))
    except TimeoutError:
        raise OutOfTimeError(f"the time allowed is over: {seconds:.6g} s") from None
    except BaseExceptionGroup as group:
        _, unexpected = group.split(GymLLMError)
        raise (unexpected or group).exceptions[0] from None


async def _play_each(
    left: Iterator[int],
    play_one: Callable[[int], Awaitable[None]],
    failed: Callable[[int, GymLLMError], Awaitable[None]],
) -> None:
    for episode in left:
        try:
            await play_one(episode)
        except BudgetExceededError:
            raise
        except GymLLMError as error:
            await failed(episode, error)
            if not isinstance(error, EnvError):
                raise
