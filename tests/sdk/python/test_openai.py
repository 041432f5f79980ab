"""The current openai-python against llmirage as OpenAI."""

import asyncio
import json
import re
import time
import urllib.request

import openai
import pytest
from pydantic import BaseModel

GREETING = ["Hello", "!", " How", " can", " I", " help", " you", " today", "?"]


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_stream_comes_token_by_token_with_and_without_v1(url, key, ask, path):
    client = openai.OpenAI(base_url=url + path, api_key=key)
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=ask("hello"), stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", *GREETING, None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 10 + ["stop"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(chunk.usage is None for chunk in chunks)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert re.fullmatch(r"chatcmpl-[0-9A-Za-z]{29}", chunks[0].id)
    assert chunks[0].model.startswith("gpt-4o-mini-20")


def test_usage_comes_last_if_asked_for(client, ask):
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=ask("hello"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert all(chunk.usage is None and chunk.choices for chunk in chunks[:-1])
    usage = chunks[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (8, len(GREETING), 17)
    assert usage.completion_tokens_details.reasoning_tokens == 0


def test_usage_of_the_fixture_wins(client, ask):
    usage = client.chat.completions.create(model="gpt-4o-mini", messages=ask("count")).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1200, 34, 1234)
    assert usage.prompt_tokens_details.cached_tokens == 1024


def test_json_reply_says_the_same_as_the_stream(client, ask):
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=ask("hello"))
    assert completion.object == "chat.completion"
    assert completion.choices[0].message.content == "".join(GREETING)
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.refusal is None
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens == len(GREETING)
    assert re.fullmatch(r"req_[0-9a-f]{32}", completion._request_id)


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "stream"])
def test_documented_types_hold_under_strict_validation(url, key, ask, weather, stream):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, _strict_response_validation=True)
    for prompt in ["hello", "weather in Paris", "weather in both"]:
        answer = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=ask(prompt),
            tools=weather,
            stream=stream,
            **({"stream_options": {"include_usage": True}} if stream else {}),
        )
        if stream:
            assert list(answer)[-1].usage.total_tokens > 0
        else:
            assert answer.usage.total_tokens > 0


def test_characters_arrive_whole(client, ask, spoken):
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=ask("moon"), stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "望", "月", "の", "夜", " 🌕", None]
    assert spoken(chunks) == "望月の夜 🌕"


def test_one_tool_call_starts_with_its_name_and_grows(client, ask, weather):
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini", messages=ask("weather in Paris?"), tools=weather, stream=True
        )
    )
    first = chunks[0].choices[0].delta
    assert first.role == "assistant" and first.content is None
    assert first.tool_calls[0].function.name == "get_weather"
    assert first.tool_calls[0].function.arguments == ""
    assert re.fullmatch(r"call_[0-9A-Za-z]{24}", first.tool_calls[0].id)
    pieces = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks[1:-1]]
    assert "".join(piece.function.arguments for piece in pieces) == '{"city":"Paris"}'
    assert len(pieces) > 1 and all(piece.id is None and piece.index == 0 for piece in pieces)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_forced_tool_finishes_with_stop(client, ask, weather):
    choice = {"type": "function", "function": {"name": "get_weather"}}
    completion = client.chat.completions.create(
        model="gpt-4o-mini", messages=ask("weather in Paris?"), tools=weather, tool_choice=choice
    )
    assert completion.choices[0].finish_reason == "stop"
    assert json.loads(completion.choices[0].message.tool_calls[0].function.arguments) == {"city": "Paris"}


def test_parallel_tool_calls_come_one_after_the_other(client, ask, weather):
    with client.chat.completions.stream(
        model="gpt-4o-mini", messages=ask("weather in both cities?"), tools=weather
    ) as stream:
        events = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        message = stream.get_final_completion().choices[0].message
    assert [(event.index, event.name) for event in events] == [(0, "get_weather"), (1, "get_weather")]
    assert [json.loads(call.function.arguments) for call in message.tool_calls] == [
        {"city": "Paris"},
        {"city": "London"},
    ]
    assert message.content is None
    assert message.tool_calls[0].id != message.tool_calls[1].id


def test_conversation_goes_on_after_a_tool_result(client, ask, weather):
    messages = ask("weather in Paris?")
    call = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=weather).choices[0].message
    messages += [call, {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "sunny, 21 degrees"}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=weather)
    assert answer.choices[0].message.content == "It is sunny in Paris."
    assert answer.choices[0].finish_reason == "stop"


def test_structured_output_is_parsed_by_the_stream_helper(client, ask):
    with client.chat.completions.stream(
        model="gpt-4o-mini", messages=ask("Paris as JSON"), response_format=Weather
    ) as stream:
        kinds = [event.type for event in stream]
        message = stream.get_final_completion().choices[0].message
    assert message.parsed == Weather(city="Paris", degrees=21)
    assert kinds.count("content.done") == 1 and kinds.count("content.delta") > 1


def test_structured_output_is_parsed_without_a_stream(client, ask):
    completion = client.chat.completions.parse(
        model="gpt-4o-mini", messages=ask("Paris as JSON"), response_format=Weather
    )
    assert completion.choices[0].message.parsed == Weather(city="Paris", degrees=21)


def test_refusal_arrives_as_a_refusal(client, ask):
    with client.chat.completions.stream(
        model="gpt-4o-mini", messages=ask("how to steal a car"), response_format=Weather
    ) as stream:
        refusals = [event.refusal for event in stream if event.type == "refusal.done"]
        message = stream.get_final_completion().choices[0].message
    assert refusals == [message.refusal] == ["I'm sorry, I can't help with that."]
    assert message.parsed is None and message.content is None


def test_logprobs_come_if_asked_for(client, ask):
    with client.chat.completions.stream(
        model="gpt-4o-mini", messages=ask("how sure"), logprobs=True, top_logprobs=2
    ) as stream:
        stream.until_done()
        tokens = stream.get_final_completion().choices[0].logprobs.content
    assert [(token.token, token.logprob, token.bytes) for token in tokens] == [
        ("Very", -0.25, list(b"Very")),
        (" sure", -0.5, list(b" sure")),
    ]
    assert [top.token for top in tokens[1].top_logprobs] == [" sure", " certain"]
    silent = client.chat.completions.create(model="gpt-4o-mini", messages=ask("how sure"))
    assert silent.choices[0].logprobs is None


def test_two_choices_interleave_and_finish_in_order(client, ask):
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=ask("a colour"), n=2, stream=True))
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    choices = [chunk.choices[0] for chunk in chunks]
    texts = ["".join(c.delta.content or "" for c in choices if c.index == index) for index in (0, 1)]
    assert texts == ["Red, of course.", "Blue."]
    assert [(c.index, c.finish_reason) for c in choices[-2:]] == [(0, "stop"), (1, "stop")]
    whole = client.chat.completions.create(model="gpt-4o-mini", messages=ask("a colour"), n=2)
    assert [choice.message.content for choice in whole.choices] == texts


def test_finish_reason_of_the_fixture_is_sent(client, ask):
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=ask("a long story"))
    assert completion.choices[0].finish_reason == "length"
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="gpt-4o-mini", messages=ask("a long story"), response_format=Weather)


def test_reasoning_is_counted_and_not_sent(client, ask, spoken):
    chunks = list(
        client.chat.completions.create(
            model="gpt-5-mini", messages=ask("think"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert spoken(chunks) == "42"
    assert chunks[-1].usage.completion_tokens_details.reasoning_tokens > 5


def test_script_is_played_step_by_step(client, ask):
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=ask("by hand"), stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks[1:3]] == ["Step ", "by step"]
    assert chunks[3].choices[0].finish_reason == "stop"
    assert chunks[4].choices == [] and chunks[4].usage.total_tokens == 5
    assert len(chunks) == 5


def test_headers_are_those_of_the_real_service(client, ask):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ask("hello"), stream=True)
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.headers["transfer-encoding"] == "chunked"
    assert "content-encoding" not in raw.headers
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.headers["openai-processing-ms"].isdigit()
    assert re.fullmatch(r"req_[0-9a-f]{32}", raw.headers["x-request-id"])
    limit, remaining = (int(raw.headers[f"x-ratelimit-{name}-requests"]) for name in ("limit", "remaining"))
    assert 0 <= remaining < limit
    assert len(list(raw.parse())) == len(GREETING) + 2


def test_stream_is_readable_while_it_is_sent(client, ask):
    started = time.monotonic()
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=ask("slowly"), stream=True)
    arrivals = [time.monotonic() - started for chunk in stream if chunk.choices[0].delta.content]
    assert len(arrivals) == 30
    assert arrivals[0] < 1.5, "the first token came long before the last"
    assert arrivals[-1] - arrivals[0] > 2.5, "30 tokens, 100 ms apart"


def journal(url, session):
    """The entries of a session, once all are settled."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/__admin/requests?session={session}", timeout=10) as answer:
            entries = json.load(answer)["requests"]
        if all(entry["outcome"]["kind"] != "running" for entry in entries):
            return entries
    return pytest.fail(f"not settled: {entries}")


def test_client_may_leave_in_the_middle_and_the_journal_says_so(url, key, ask):
    client = openai.OpenAI(base_url=f"{url}/session/leaving/v1", api_key=key)
    with client.chat.completions.create(model="gpt-4o-mini", messages=ask("slowly"), stream=True) as stream:
        assert next(stream).choices[0].delta.role == "assistant"
        assert next(stream).choices[0].delta.content == "1"
    (entry,) = journal(url, "leaving")
    assert (entry["fixture"], entry["outcome"]["kind"]) == ("slow", "client_left")
    assert 2 <= entry["events_sent"] < entry["events_planned"] == 33


def test_journal_shows_a_retry(url, key, ask):
    client = openai.OpenAI(base_url=f"{url}/session/retrying/v1", api_key=key, max_retries=1)
    client.chat.completions.create(model="gpt-4o-mini", messages=ask("try again"))
    entries = journal(url, "retrying")
    assert [(entry["status"], entry["hit"], entry["retry"]) for entry in entries] == [(429, 1, 0), (200, 2, 1)]
    assert key not in json.dumps(entries)


def test_async_client_runs_many_streams_at_once(url, key, ask):
    async def one(client, prompt):
        stream = await client.chat.completions.create(model="gpt-4o-mini", messages=ask(prompt), stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def many():
        async with openai.AsyncOpenAI(base_url=url, api_key=key) as client:
            return await asyncio.gather(*(one(client, ["hello", "moon"][n % 2]) for n in range(40)))

    assert asyncio.run(many()) == ["".join(GREETING), "望月の夜 🌕"] * 20


def test_models_are_those_of_the_fixtures(client):
    names = {model.id for model in client.models.list()}
    assert names == {"gpt-4o-mini", "gpt-4o", "gpt-5-mini", "gpt-35-turbo", "llama3"}


def test_client_is_pointed_by_its_environment(url, key, ask, spoken, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", key)
    chunks = openai.OpenAI().chat.completions.create(model="gpt-4o-mini", messages=ask("hello"), stream=True)
    assert spoken(chunks) == "".join(GREETING)


def test_sessions_in_the_base_url_have_hits_of_their_own(url, key, ask):
    def outcome(session):
        client = openai.OpenAI(base_url=f"{url}/session/{session}/v1", api_key=key, max_retries=0)
        try:
            completion = client.chat.completions.create(model="gpt-4o-mini", messages=ask("try again"))
            return completion.choices[0].message.content
        except openai.RateLimitError as error:
            return error.code

    outcomes = [outcome(session) for session in ["one", "two", "two", "one"]]
    assert outcomes == ["rate_limit_exceeded"] * 2 + ["Second time lucky."] * 2
