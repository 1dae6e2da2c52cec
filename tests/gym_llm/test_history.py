"""The window of past turns."""

from gym_llm.history import History


def window(size: int, turns: int) -> list[str]:
    history = History(size)
    for turn in range(turns):
        history.append(f"o{turn}", f"r{turn}")
    return [message["content"] for message in history.messages()]


def test_it_holds_at_least_size_turns_and_fewer_than_twice_as_many() -> None:
    for turns in range(30):
        held = window(5, turns)
        assert min(turns, 5) <= len(held) / 2 < 10
        if turns:
            assert held[-2:] == [f"o{turns - 1}", f"r{turns - 1}"]


def test_it_is_cut_in_one_block() -> None:
    assert window(2, 3) == ["o0", "r0", "o1", "r1", "o2", "r2"]
    assert window(2, 4) == ["o2", "r2", "o3", "r3"]


def test_one_turn_is_a_window_too() -> None:
    assert window(1, 5) == ["o4", "r4"]


def test_roles_alternate_and_clear_forgets() -> None:
    history = History(3)
    history.append("o", "r")
    assert [message["role"] for message in history.messages()] == ["user", "assistant"]
    history.clear()
    assert history.messages() == []
