"""Blackjack for language models, around Gymnasium's own environment."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text import BlackjackEnv

from gym_llm.llm_env import ActionSchema, Advice, LLMEnv, ObservationSchema

STICK, HIT = 0, 1
Hand = dict[str, Any]

FIELDS: ObservationSchema = {
    "players_sum": {
        "description": "sum of your cards, a usable ace counted as 11",
        "type": "integer",
        "range": "4 to 21; more than 21 is a bust and ends the episode",
    },
    "dealers_card": {
        "description": "the dealer's face-up card: 1 is an ace, 10 is a ten or a face card",
        "type": "integer",
        "range": "1 to 10",
    },
    "usable_ace": {
        "description": "1 when you hold an ace that counts as 11 without a bust, else 0",
        "type": "integer",
        "range": "0 or 1",
    },
}

ACTIONS: ActionSchema = {
    STICK: "Stick: take no more cards. The dealer plays, the hands are compared, and the episode ends.",
    HIT: (
        "Hit: take one more card, with a value of 1 to 9 each with probability 1/13, or 10 with probability 4/13. A "
        "sum of more than 21 is a bust: you lose at once. A usable ace that would make you bust counts as 1 instead, "
        "so one hit with usable_ace 1 can never bust."
    ),
}

GOAL = """\
Win a hand of blackjack against the dealer: get a sum of cards that is higher than the dealer's, but not more than 21.

Cards: numbers count as they say, jack, queen and king count 10, an ace counts 11 where that does not bust (then it is \
called usable), else 1. Cards are drawn from an endless deck, so what was drawn before says nothing about what comes. \
You start with two cards; the dealer shows one of two cards.

The dealer plays after you stick, by a fixed rule: draws until the sum is 17 or more, then stops.

Reward, with the last step of the episode only: 1 if your sum is higher than the dealer's or the dealer busts, 0 if \
both sums are equal, -1 if the dealer's is higher or if you bust. {natural}All other steps earn 0. The episode ends \
when you stick or bust. Nobody wins in the long run: the best play loses about 0.04 per hand.

How to play:
- With usable_ace 0: a sum of 11 or less can't bust, so hit. Stick on 17 or more. On 13 to 16 stick while dealers_card \
is 2 to 6 (the dealer is then likely to bust), else hit. On 12 stick while dealers_card is 4 to 6, else hit.
- With usable_ace 1: hit on 17 or less, stick on 19 or more. On 18 hit while dealers_card is 9, 10 or \
1, else stick.
- Do not hit just because the sum is below 17, as the dealer does: what counts is who is likely to bust.
"""
NATURALS = {
    "sab": "An ace and a ten from the start beat every hand of the dealer's but an ace and a ten. ",
    "natural": "An ace and a ten from the start that win earn 1.5. ",
}


class BlackjackLLM(gym.ObservationWrapper[Hand, Any, Any], LLMEnv):
    """`BlackjackLLM-v1`: Blackjack-v1 with a name for every number, and `is_success` when a hand is won."""

    def __init__(self, render_mode: str | None = None, natural: bool = False, sab: bool = True) -> None:
        """The keywords of Blackjack-v1: `sab` for the rules of Sutton and Barto's book, or else `natural` for 1.5."""
        super().__init__(BlackjackEnv(render_mode=render_mode, natural=natural, sab=sab))
        self.observation_space = spaces.Dict(
            {
                "players_sum": spaces.Discrete(32),
                "dealers_card": spaces.Discrete(10, start=1),
                "usable_ace": spaces.Discrete(2),
            },
            sort_keys=False,
        )
        self.rule = NATURALS["sab"] if sab else NATURALS["natural"] if natural else ""

    def observation(self, observation: tuple[int, int, int]) -> Hand:
        return {name: np.int64(number) for name, number in zip(FIELDS, observation, strict=True)}

    def step(self, action: int) -> tuple[Hand, SupportsFloat, bool, bool, dict[str, Any]]:
        """As Gymnasium's, with `is_success`: the hand is won."""
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated, truncated, {**info, "is_success": terminated and float(reward) > 0}

    def get_observation_schema(self) -> ObservationSchema:
        return FIELDS

    def get_action_schema(self) -> ActionSchema:
        return ACTIONS

    def get_goal_description(self) -> str:
        return GOAL.format(natural=self.rule)

    def heuristic(self, observation: Any) -> Advice:
        """The best play of this game, which knows neither doubling nor splitting."""
        total, dealer, ace = (int(observation[name]) for name in FIELDS)
        hand = f"{total} with a usable ace" if ace else str(total)
        shown = "an ace" if dealer == 1 else f"a {dealer}"
        if total < _enough(dealer, ace):
            danger = "which can't bust" if ace or total <= 11 else "as the dealer is likely to end higher"
            return Advice(HIT, f"{hand} is not enough against {shown}: one more card, {danger}.")
        hope = "and the dealer may bust" if total < 17 else "and one more card would more likely harm"
        return Advice(STICK, f"{hand} is enough against {shown}, {hope}: sticking.")

    def safe_action(self) -> int:
        return STICK


def _enough(dealer: int, ace: int) -> int:
    # The sum to stick on.
    if ace:
        return 19 if dealer in (1, 9, 10) else 18
    if 4 <= dealer <= 6:
        return 12
    return 13 if 2 <= dealer <= 3 else 17
