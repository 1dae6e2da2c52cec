"""The window of past turns."""

import numpy as np

from gym_llm.history import History
from gym_llm.images import Picture
from gym_llm.turn import Turn


def window(size: int, turns: int) -> list[str]:
    history = History(size)
    for turn in range(turns):
        if history.full:
            history.cut()
        history.append(Turn(f"o{turn}"), f"r{turn}")
    return [message["content"] for message in history.messages()]


def picture() -> Picture:
    return Picture(np.zeros((8, 8, 3), np.uint8))


def test_it_holds_at_least_size_turns_and_at_most_twice_as_many() -> None:
    for turns in range(30):
        held = window(5, turns)
        assert min(turns, 5) <= len(held) / 2 <= 10
        if turns:
            assert held[-2:] == [f"o{turns - 1}", f"r{turns - 1}"]


def test_it_is_cut_in_one_block() -> None:
    assert window(2, 4) == ["o0", "r0", "o1", "r1", "o2", "r2", "o3", "r3"]
    assert window(2, 5) == ["o2", "r2", "o3", "r3", "o4", "r4"]


def test_one_turn_is_a_window_too() -> None:
    assert window(1, 5) == ["o3", "r3", "o4", "r4"]


def test_cutting_tells_how_much_was_dropped() -> None:
    history = History(3)
    for turn in range(6):
        assert history.cut() == 0
        history.append(Turn(f"o{turn}"), f"r{turn}") if turn < 3 else None
    for turn in range(3, 6):
        assert not history.full
        history.append(Turn(f"o{turn}"), f"r{turn}")
    assert history.full
    assert history.cut() == 3


def test_roles_alternate_and_clear_forgets() -> None:
    history = History(3)
    history.append(Turn("o"), "r")
    assert [message["role"] for message in history.messages(Turn("p"))] == ["user", "assistant", "user"]
    history.clear()
    assert history.messages() == []


def test_what_stays_in_view_is_said_at_the_top_of_the_oldest_turn() -> None:
    history = History(3)
    assert history.messages(Turn('{"step":1}'), {"lessons": ["x"]}) == [
        {"role": "user", "content": '{"lessons":["x"],"step":1}'}
    ]
    history.append(Turn('{"step":1}'), "r")
    contents = [message["content"] for message in history.messages(Turn('{"step":2}'), {"plan": "p"})]
    assert contents == ['{"plan":"p","step":1}', "r", '{"step":2}']


def test_the_newest_turns_keep_their_pictures() -> None:
    for keep in (1, 2, 3):
        history, kept, changed = History(4, keep), [], 0
        before: list[bool] = []
        for turn in range(24):
            if history.full:
                history.cut()
            asked = history.messages(Turn("o", [picture()]))
            shown = ["images" in message for message in asked if message["role"] == "user"]
            kept.append(sum(shown))
            assert shown == sorted(shown)  # the newest ones
            changed += turn > 0 and before != shown[: len(before)] and len(shown) > len(before)
            before = shown
            history.append(Turn("o", [picture()]), "r")
        assert kept[: 2 * keep - 1] == list(range(1, 2 * keep))
        assert set(kept[keep:]) <= set(range(keep, 2 * keep))
        # In one block, so that most prompts begin as the one before.
        assert changed <= 24 / keep


def test_pictures_that_are_no_longer_shown_are_let_go() -> None:
    history = History(50, 2)
    turns = [Turn("o", [picture()]) for _ in range(20)]
    for turn in turns:
        history.append(turn, "r")
    assert sum(bool(turn.pictures) for turn in turns) == 4
