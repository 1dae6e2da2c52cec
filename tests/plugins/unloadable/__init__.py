"""A plugin whose import fails."""

raise ImportError("no simulator here")
