"""What tokens cost, from the price lists of the `genai-prices` package."""

from genai_prices import Usage, calc_price


def cost_usd(provider: str, model: str, *, prompt: int, cached: int, completion: int) -> float | None:
    """The list price of these tokens in US dollars; None, never 0, for a model whose price is not known.

    `cached` is the part of `prompt` that the provider had cached.
    """
    tokens = Usage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion)
    try:
        return float(calc_price(tokens, model_ref=model, provider_id=provider).total_price)
    except LookupError:
        return None
