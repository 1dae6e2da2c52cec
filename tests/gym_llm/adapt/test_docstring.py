"""What is read out of docstrings."""

from gym_llm.adapt.docstring import clean, sections

MARKDOWN = """
    Walk across the ice.

    ## Description
    A lake,
    frozen. See [the book](https://example.com) and run:
    ```python
    ## not a heading
    ```
    Map:

        +---+
        |S:G|
        +---+

    ### Action Space
    The action is *one* of these:

    | Num | Action     |
    |-----|------------|
    | 0   | go `left`  |
    | 1   | go **right** |

    If slippery:
    - 0: slide
    - 1: fall
      down

    If not:
    - 0: walk

    ## Rewards:
    *r = a<sup>2</sup> * b*
"""
RST = """
Description
===========

A ``robot`` of `a maker <https://example.com>`_.

Reward
~~~~~~

* 1 for each step
* -1 for :math:`falls`
"""


def test_markdown() -> None:
    intro, description, action, rewards = sections(MARKDOWN)
    assert (intro.heading, intro.text()) == ("", "Walk across the ice.")
    assert description.text() == "A lake, frozen.\nMap:\n+---+\n|S:G|\n+---+"
    assert action.heading == "action space"
    assert action.tables == [[{"num": "0", "action": "go left"}, {"num": "1", "action": "go right"}]]
    assert action.lists() == [{0: "slide", 1: "fall down"}, {0: "walk"}]
    assert (rewards.heading, rewards.text()) == ("rewards", "r = a^2 * b")


def test_restructured_text() -> None:
    _, description, reward = sections(RST)
    assert (description.heading, description.text()) == ("description", "A robot of a maker.")
    assert (reward.heading, reward.text()) == ("reward", "* 1 for each step\n* -1 for falls")


def test_products_and_names_are_no_markup() -> None:
    assert clean("x = 2 * dt * v, with `max_steps` and min_value of _all_ **kinds**") == (
        "x = 2 * dt * v, with max_steps and min_value of all kinds"
    )


def test_nothing_gives_nothing() -> None:
    assert [section.text() for section in sections("")] == [""]
