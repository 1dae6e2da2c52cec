"""The gym-llm service."""
