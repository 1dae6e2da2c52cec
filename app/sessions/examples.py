"""What the API reference shows of streams."""

SESSION_EVENTS = """\
retry: 1000

event: session
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"running","progress":{"episodes_done":0,"steps":0}}

id: 1
event: step
data: {"id":1,"episode":0,"step":1,"reflection":"1.32 m are left, so there is room.","action":1,"reward":null}

event: episode
data: {"episode":0,"seed":0,"status":"succeeded","total_reward":8.7,"num_steps":14,"success":true}

event: session
data: {"id":"019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f","status":"succeeded"}

event: done
data: {}

"""
