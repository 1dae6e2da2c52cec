"""What a person sees of an experiment."""

import io

from rich.console import Console

from gym_llm.decision import Decision
from gym_llm.episode import Step
from gym_llm.progress import Bar, Lines, Silent, watcher


def step(number: int, *, last: bool = False) -> Step:
    return Step(
        episode=0,
        step=number,
        observation={},
        digest="",
        decision=Decision("Going [bold]down[/bold],\nslowly.", 2),
        reward=1.0,
        terminated=last,
        truncated=False,
        total_reward=float(number),
        success=None,
        next_observation={},
    )


def test_a_terminal_gets_a_bar_with_the_newest_reflection() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    shown = watcher(True, 2, console)
    assert isinstance(shown, Bar)
    with shown:
        shown.step(step(1))
        shown.step(step(2, last=True))
        shown.failed(1, ValueError("broken [wheel]"))
    told = screen.getvalue()
    assert "Going [bold]down[/bold], slowly." in told
    assert "episode 0: 2 steps, total reward 2.00" in told
    assert "episode 1 failed: broken [wheel]" in told
    assert "2/2" in told


def test_elsewhere_there_are_lines_and_quiet_is_quiet() -> None:
    screen = io.StringIO()
    shown = watcher(True, 1, Console(file=screen, width=40))
    assert isinstance(shown, Lines)
    with shown:
        shown.step(step(1))
    assert screen.getvalue() == (
        "episode 0 step 1: action 2, reward +1.00, total +1.00: Going [bold]down[/bold], slowly.\n"
    )
    assert isinstance(watcher(False, 1), Silent)
