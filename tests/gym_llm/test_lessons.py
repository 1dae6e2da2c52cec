"""What later episodes are told."""

from gym_llm.lessons import MAX_CARRIED, carried


def test_the_newest_are_carried_in_the_order_in_which_they_were_learned() -> None:
    assert carried([]) == []
    assert carried([["a", "b"], [], ["c"]]) == ["a", "b", "c"]
    learned = [[f"{episode}.{number}" for number in range(3)] for episode in range(9)]
    assert carried(learned) == [lesson for lessons in learned for lesson in lessons][-MAX_CARRIED:]


def test_a_lesson_that_comes_again_is_told_once() -> None:
    assert carried([["a", "b"], ["a", "c"]]) == ["b", "a", "c"]
