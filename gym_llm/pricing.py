"""What tokens cost, from the price lists of the `genai-prices` package."""

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from gym_llm.backends.base import Usage


def cost_usd(provider: str, model: str, usage: Usage) -> float | None:
    """The list price of `usage` in US dollars; None, never 0, for a model whose price is not known."""
    tokens = PricedUsage(input_tokens=usage.prompt, cache_read_tokens=usage.cached, output_tokens=usage.completion)
    try:
        return float(calc_price(tokens, model_ref=model, provider_id=provider).total_price)
    except LookupError:
        return None
