"""`python -m tests.scripted_llm --port N`: serve until interrupted."""

import argparse

from aiohttp import web

from tests.scripted_llm.cache import PrefixCache
from tests.scripted_llm.faults import parse_faults
from tests.scripted_llm.server import MODEL, ScriptedLLM

parser = argparse.ArgumentParser(prog="python -m tests.scripted_llm", description=__doc__)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--latency-ms", type=float, default=0.0, help="time spent on every answer")
parser.add_argument("--retry-after", type=float, default=1.0, help="seconds that go with every 429")
parser.add_argument("--model", action="append", help=f"a model that is there; default {MODEL}")
parser.add_argument("--most", type=int, help="more requests at a time than these are answered with 429")
parser.add_argument("--cache", action="store_true", help="count cached tokens as a provider would")
parser.add_argument(
    "--faults", type=parse_faults, default={}, help="STEP=KIND[:TIMES|:always],...; see faults.py. STEP may be *"
)
options = parser.parse_args()
server = ScriptedLLM(
    latency=options.latency_ms / 1000,
    faults=options.faults,
    retry_after=options.retry_after,
    models=options.model or (MODEL,),
    most=options.most,
    cache=PrefixCache() if options.cache else None,
)
web.run_app(
    server.app(),
    host=options.host,
    port=options.port,
    access_log=None,
    shutdown_timeout=0.5,
    handler_cancellation=True,
    print=None,
)
