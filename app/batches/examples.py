"""What the API reference shows of batches."""

BATCH_YAML = """\
name: 'temperatures'
agents:
    - {backend: 'baseline', model: 'random'}
    - {backend: 'ollama', model: 'llama3.1', grid: {temperature: [0, 0.7]}}
environments:
    - {name: 'CartPoleLLM-v1'}
    - {name: 'LunarLanderLLM-v3'}
experiment:
    seed: 0
    num_runs: 20
    save_gif: true
max_cost_usd: 5
"""

BATCH_EVENTS = """\
retry: 1000

event: batch
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"running","progress":{"episodes_done":7,"episodes":20}}

event: cell
data: {"cell":0,"agent":"random","environment":"CartPoleLLM-v1","status":"running","avg_reward":21.4}

event: batch
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"succeeded"}

event: done
data: {}

"""
