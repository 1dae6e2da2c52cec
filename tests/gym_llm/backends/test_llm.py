"""What holds for every language-model backend, over real sockets."""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from gym_llm.backends import llm
from gym_llm.backends.base import Message, Usage
from gym_llm.backends.failures import RequestError
from gym_llm.errors import LLMError
from tests.gym_llm.backends.conftest import SECRET, Ask, Connect
from tests.scripted_llm.fixtures import Serving, serving

SCRIPT = """
from gym_llm import blocking
from gym_llm.backends import OllamaBackend, OpenAIBackend, Question
from gym_llm.config import AgentConfig

for _ in range(2):
    backend = OpenAIBackend(base_url="{url}/v1") if "{name}" == "openai" else OllamaBackend(host="{url}")
    messages = [{{"role": "user", "content": "hi"}}]
    question = Question(messages, {{"type": "object"}}, AgentConfig(model="scripted"), 0, 1, None, {{}})
    print(blocking.run(backend.ask(question)).requests)
"""


async def test_an_answer_comes_back_with_its_numbers(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    reply = await connect(scripted_llm.url).ask(question())
    assert json.loads(reply.text)["action"] == 1
    assert (reply.cut, reply.requests, reply.problem) == (None, 1, None)
    assert reply.usage.prompt > 500
    assert reply.usage.completion == len(reply.text) // 4


async def test_the_question_is_sent_as_it_is(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    await connect(scripted_llm.url).ask(question(temperature=None, seed=41))
    (sent,) = scripted_llm.llm.parameters
    assert sent["model"] == "scripted"
    assert sent["seed"] == 41
    assert "temperature" not in sent
    assert scripted_llm.llm.asked == {(41, 1): 1}


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("429", "HTTP 429: slow down"),
        ("429-date", "HTTP 429: slow down"),
        ("500", "HTTP 500"),
        ("503", "HTTP 503"),
        ("drop", "lost the connection to 127.0.0.1"),
        ("cut", "lost the connection to 127.0.0.1"),
        ("garbage", "HTTP 200, but"),
    ],
)
async def test_what_a_retry_can_mend_is_retried_and_told(
    scripted_llm: Serving, connect: Connect, question: Ask, fault: str, problem: str
) -> None:
    backend = connect(scripted_llm.url)
    undisturbed = await backend.ask(question())
    scripted_llm.disturb(f"1={fault}:2")
    reply = await backend.ask(question())
    assert reply.problem is not None
    assert reply.problem.startswith(problem)
    assert re.search(r", retried after [\d.e-]+ s$", reply.problem)
    assert replace(reply, problem=None) == replace(undisturbed, requests=3)
    assert scripted_llm.llm.asked == {(7, 1): 3}


async def test_a_server_that_hangs_is_asked_again(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("1=hang")
    reply = await connect(scripted_llm.url, timeout=0.5).ask(question())
    assert reply.requests == 2
    assert reply.problem is not None
    assert reply.problem.startswith(("no answer within 0.5 s", "127.0.0.1"))


async def test_it_gives_up_in_the_end(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("1=503:always")
    with pytest.raises(LLMError, match=r"HTTP 503: the server has a problem \(3 requests sent\)"):
        await connect(scripted_llm.url, attempts=3).ask(question())
    assert scripted_llm.llm.asked == {(7, 1): 3}


@pytest.mark.parametrize("status", ["401", "403", "404"])
async def test_what_no_retry_can_mend_fails_at_once_and_shows_no_key(
    scripted_llm: Serving, connect: Connect, question: Ask, status: str
) -> None:
    scripted_llm.disturb(f"1={status}:always")
    with pytest.raises(LLMError) as caught:
        await connect(scripted_llm.url).ask(question())
    assert scripted_llm.llm.asked == {(7, 1): 1}
    assert SECRET not in str(caught.value)
    assert "Bearer" not in str(caught.value)
    assert status in str(caught.value) or "ollama pull" in str(caught.value)


async def test_the_server_says_how_long_to_wait(connect: Connect, question: Ask) -> None:
    with serving(retry_after=0.25) as server:
        server.disturb("*=429")
        reply = await connect(server.url).ask(question())
        match = re.search(r"retried after ([\d.]+) s", reply.problem or "")
        assert match
        assert 0.25 <= float(match[1]) <= 0.38


@pytest.mark.parametrize("fault", ["429", "429-date"])
async def test_but_not_longer_than_the_cap(connect: Connect, question: Ask, fault: str) -> None:
    with serving(retry_after=3600) as server:
        server.disturb(f"*={fault}")
        reply = await connect(server.url, max_backoff=0.01).ask(question())
        assert reply.problem == "HTTP 429: slow down, retried after 0.01 s"


async def test_the_wait_doubles(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("*=500:4")
    reply = await connect(scripted_llm.url, backoff=0.01).ask(question())
    match = re.search(r"retried after ([\d.]+) s", reply.problem or "")
    assert match
    assert 0.08 <= float(match[1]) <= 0.12


async def test_a_refused_parameter_is_left_out_and_remembered(
    scripted_llm: Serving, connect: Connect, question: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    scripted_llm.disturb("*=refuse-temperature")
    backend = connect(scripted_llm.url, attempts=1)
    first, second = await backend.ask(question(1)), await backend.ask(question(2))
    assert first.requests == 2
    assert first.problem is not None
    assert first.problem.endswith("asked again without this temperature")
    assert (second.requests, second.problem) == (1, None)
    assert ["temperature" in sent for sent in scripted_llm.llm.parameters] == [True, False, False]
    assert "scripted does not take this temperature" in caplog.text


async def test_many_may_find_it_refused_at_once(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("*=refuse-seed")
    backend = connect(scripted_llm.url, attempts=1)
    replies = await asyncio.gather(*(backend.ask(question(step)) for step in range(1, 30)))
    assert {reply.requests for reply in replies} <= {1, 2}
    assert (await backend.ask(question(99))).requests == 1


async def test_what_one_model_refuses_another_is_still_sent(connect: Connect, question: Ask) -> None:
    with serving(models=("scripted", "other")) as server:
        server.disturb("1=refuse-temperature")
        backend = connect(server.url)
        await backend.ask(question(1))
        await backend.ask(question(2, model="other"))
        assert "temperature" in server.llm.parameters[-1]


async def test_requests_in_flight_are_limited(connect: Connect, question: Ask) -> None:
    with serving(latency=0.02) as server:
        backend = connect(server.url, concurrency=4)
        await asyncio.gather(*(backend.ask(question(step)) for step in range(20)))
        assert server.llm.peak == 4


async def test_a_question_that_waits_for_its_retry_does_not_hold_up_others(connect: Connect, question: Ask) -> None:
    with serving(retry_after=2.0) as server:
        server.disturb("1=429")
        backend = connect(server.url, concurrency=1)
        order: list[int] = []

        async def ask(step: int) -> None:
            await backend.ask(question(step))
            order.append(step)

        await asyncio.gather(ask(1), ask(2), ask(3))
        assert order == [2, 3, 1]


async def test_hundreds_of_questions_share_one_backend(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("100=429,200=drop,250=500")
    backend = connect(scripted_llm.url)
    replies = await asyncio.gather(*(backend.ask(question(step)) for step in range(1, 301)))
    assert len({reply.text for reply in replies}) == 1
    assert [step for step, reply in enumerate(replies, 1) if reply.requests == 2] == [100, 200, 250]


async def test_a_cancelled_question_frees_its_place(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("1=hang")
    backend = connect(scripted_llm.url, concurrency=1)
    task = asyncio.create_task(backend.ask(question(1)))
    while not scripted_llm.llm.in_flight:  # noqa: ASYNC110 - it belongs to the server's thread
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await backend.ask(question(2))).requests == 1


@pytest.mark.parametrize(("fault", "limit"), [("length", None), ("fenced", 5)])
async def test_a_reply_cut_by_its_limit_says_so(
    scripted_llm: Serving, connect: Connect, question: Ask, fault: str, limit: int | None
) -> None:
    scripted_llm.disturb(f"1={fault}")
    reply = await connect(scripted_llm.url).ask(question(max_tokens=limit))
    assert reply.cut
    assert not reply.text.endswith(("}", "```"))


async def test_an_empty_reply_is_the_agents_to_judge(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    scripted_llm.disturb("1=empty")
    reply = await connect(scripted_llm.url).ask(question())
    assert (reply.text, reply.requests) == ("", 1)


async def test_no_server(connect: Connect, question: Ask) -> None:
    with serving() as server:
        url = server.url
    backend = connect(url, attempts=2)
    with pytest.raises(LLMError, match=rf"cannot connect to {url[7:]} \(ClientConnectorError\) \(2 requests sent\)"):
        await backend.ask(question())
    status = await backend.status()
    assert (status.configured, status.reachable) == (True, False)
    assert status.detail is not None
    assert status.detail.startswith("cannot connect to")


async def test_status_lists_the_models(connect: Connect, backend_name: str) -> None:
    with serving(models=("one", "two")) as server:
        status = await connect(server.url).status()
    assert (status.name, status.configured, status.reachable, status.detail) == (backend_name, True, True, None)
    assert [model.removesuffix(":latest") for model in status.models] == ["one", "two"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\n{"a":',
    ],
)
async def test_status_of_something_else_never_raises(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(llm, "STATUS_TIMEOUT", 0.3)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        backend = connect(f"http://127.0.0.1:{port}")
        status = await backend.status()
        await backend.aclose()
    assert not status.reachable
    assert status.detail


async def test_the_very_pictures_arrive(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    pictures = [bytes(range(256)), b"\x89PNG of a later turn", b"and another"]
    asked = question()
    system, newest = asked.messages
    messages: list[Message] = [
        system,
        {"role": "user", "content": "{}", "images": pictures[:1]},
        {"role": "assistant", "content": "{}"},
        {**newest, "images": pictures[1:]},
    ]
    reply = await connect(scripted_llm.url).ask(replace(asked, messages=messages))
    assert list(scripted_llm.llm.images) == pictures
    assert json.loads(reply.text)["action"] == 1  # And the text beside them is read.


async def test_a_model_that_refuses_pictures_is_told_of(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    asked = question()
    messages: list[Message] = [asked.messages[0], {**asked.messages[1], "images": [b"a picture"]}]
    scripted_llm.disturb("1=no-images:always")
    with pytest.raises(LLMError, match="the model did not take the pictures: HTTP 400: Invalid content type"):
        await connect(scripted_llm.url).ask(replace(asked, messages=messages))
    assert scripted_llm.llm.asked == {(7, 1): 1}


async def test_429_brings_the_requests_in_flight_down_to_what_the_server_takes(connect: Connect, question: Ask) -> None:
    with serving(retry_after=0.0, latency=0.01, most=6) as server:
        backend = connect(server.url, concurrency=48, attempts=100)

        async def ask(steps: range) -> None:
            for step in steps:
                await backend.ask(question(step))

        await asyncio.gather(*(ask(range(first, 1200, 48)) for first in range(48)))
        early = server.llm.refused
        status = await backend.status()
        assert status.max_concurrency == 48
        assert status.concurrency is not None
        assert 3 <= status.concurrency <= 7
        await asyncio.gather(*(ask(range(first, 600, 48)) for first in range(48)))
        assert server.llm.refused - early < 60  # Of 600 answers; most of those before came with the first burst.


@pytest.mark.parametrize("fault", ["500", "503", "drop"])
async def test_other_failures_leave_the_limit_alone(
    scripted_llm: Serving, connect: Connect, question: Ask, fault: str
) -> None:
    scripted_llm.disturb(f"*={fault}")
    backend = connect(scripted_llm.url, concurrency=8)
    await asyncio.gather(*(backend.ask(question(step)) for step in range(1, 9)))
    assert (await backend.status()).concurrency == 8


async def test_a_closed_backend_opens_again(scripted_llm: Serving, connect: Connect, question: Ask) -> None:
    backend = connect(scripted_llm.url)
    await backend.ask(question(1))
    await backend.aclose()
    await backend.aclose()
    assert (await backend.ask(question(2))).requests == 1


@pytest.mark.parametrize(
    ("status", "text", "refused"),
    [
        (400, "HTTP 400: Unsupported value: 'temperature' does not support 0.2 with this model.", True),
        (422, 'HTTP 422: {"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}', True),
        (400, "HTTP 400: temperatures", False),
        (500, "HTTP 500: temperature", False),
        (400, "HTTP 400: maximum context length is 4096 tokens; you sent 5000 and a temperature", False),
    ],
)
def test_which_failures_refuse_a_parameter(status: int, text: str, refused: bool) -> None:
    assert RequestError(text, status).refuses("temperature") is refused


def test_a_synchronous_script_that_closes_nothing_ends_in_silence(scripted_llm: Serving, backend_name: str) -> None:
    script = SCRIPT.format(url=scripted_llm.url, name=backend_name)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n1\n", "")


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3) + Usage(10, 20, 30) == Usage(11, 22, 33)
