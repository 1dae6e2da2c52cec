"""Environments in processes of their own: another interpreter, other versions, and a crash or a hang harms nobody else.

`env.py` is what everybody sees, `process.py` starts and ends the child, `child.py` runs in it, `wire.py` is what the
two say to each other. The child's half (`child.py`, `describe.py`, `wire.py`) needs nothing but Gymnasium and NumPy.
"""
