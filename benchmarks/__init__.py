"""What it costs: one command each, see README.md."""
