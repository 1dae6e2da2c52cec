"""What tokens cost."""

import pytest

from gym_llm.pricing import cost_usd


def test_the_list_price_with_its_cache_discount() -> None:
    # gpt-4o-mini: 0.15 USD per million input tokens, 0.075 where cached, 0.60 per million output tokens.
    cost = cost_usd("openai", "gpt-4o-mini", prompt=1000, cached=200, completion=100)
    assert cost == pytest.approx((800 * 0.15 + 200 * 0.075 + 100 * 0.60) / 1e6)


def test_an_unknown_model_is_none_and_never_0() -> None:
    assert cost_usd("openai", "my-own-model", prompt=1000, cached=0, completion=100) is None
