"""Reading replies."""

import gymnasium as gym
import numpy as np
import pytest

from gym_llm.backends import Reply
from gym_llm.decision import read_reply
from gym_llm.errors import InvalidReplyError

FOUR = gym.spaces.Discrete(4)


@pytest.mark.parametrize(
    "text",
    [
        '{"reflection": "r", "action": 2}',
        '{"action": 2, "reflection": "r", "confidence": 1}',
        '```json\n{"reflection": "r", "action": 2}\n```',
        'Sure! {"reflection": "r", "action": 2} Hope that helps.',
        '<think>{"action": 9}</think>\n{"reflection": "r", "action": 2}',
        '{"reflection": "r", "action": 2.0}',
    ],
)
def test_forgiven(text: str) -> None:
    assert read_reply(Reply(text), FOUR) == ("r", 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("fire!", "no JSON object"),
        ('{"reflection": "r", "action": ', "not valid JSON"),
        ('{"action": 2}', 'no "reflection"'),
        ('{"reflection": "r"}', 'no "action"'),
        ('{"reflection": 3, "action": 2}', '"reflection" must be a string'),
        ('{"reflection": "r", "action": 4}', "one of the integers 0 to 3"),
        ('{"reflection": "r", "action": -1}', "one of the integers 0 to 3"),
        ('{"reflection": "r", "action": 1.5}', "one of the integers 0 to 3"),
        ('{"reflection": "r", "action": true}', "one of the integers 0 to 3"),
        ('{"reflection": "r", "action": "2"}', "one of the integers 0 to 3"),
        ('{"reflection": "r", "action": null}', "one of the integers 0 to 3"),
        ('{"a":' * 100_000, "not valid JSON"),
    ],
)
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidReplyError, match=problem):
        read_reply(Reply(text), FOUR)


def test_cut_is_told_apart() -> None:
    with pytest.raises(InvalidReplyError, match="cut off by the token limit"):
        read_reply(Reply('{"reflection": "an', cut="limit"), FOUR)
    with pytest.raises(InvalidReplyError, match="broken off before it ended"):
        read_reply(Reply('{"reflection": "again and again and again and', cut="server"), FOUR)
    assert read_reply(Reply('{"reflection": "r", "action": 1}', cut="limit"), FOUR) == ("r", 1)


def test_actions_come_out_as_plain_json() -> None:
    space = gym.spaces.Box(-1, 1, (2,), np.float32)
    assert read_reply(Reply('{"reflection": "r", "action": [0.5, -1]}'), space) == ("r", [0.5, -1.0])
