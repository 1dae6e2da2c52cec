"""What the API reference shows of requests and streams."""

RUN_YAML = """\
agent:
    backend: 'ollama'
    model: 'llama3.1'
    temperature: .8
    history: 10
    action_rate: 1
environment:
    name: 'LunarLanderLLM-v3'
    kwargs: null
experiment:
    name: 'lunar_lander_llama3.1'
    seed: 0
    save_gif: true
    gif_fps: 30
    num_runs: 1
"""

RUN_EVENTS = """\
retry: 1000

event: run
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"running","progress":{"episodes_done":0,"steps":0}}

id: 1
event: step
data: {"id":1,"episode":0,"step":1,"reflection":"Falling slowly: no engine is needed yet.","action":0,"reward":0.9}

event: episode
data: {"episode":0,"seed":0,"status":"succeeded","total_reward":261.4,"num_steps":214,"success":true}

event: run
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"succeeded"}

event: done
data: {}

"""
