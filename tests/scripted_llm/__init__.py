"""A language model's stand-in: a real HTTP server whose answers are a pure function of the messages it gets."""
