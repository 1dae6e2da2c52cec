"""Environments on servers that speak the OpenEnv protocol, registered by their address and used like any other.

`servers.py` reads what the operator set and registers it, `env.py` is the environment, `connection.py` the protocol.
"""

from gym_llm.openenv.servers import register_servers, servers

__all__ = ["register_servers", "servers"]
