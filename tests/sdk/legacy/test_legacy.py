"""openai-python 0.28.1, the last before 1.0, against llmirage as Azure OpenAI and as OpenAI."""

import asyncio
import json

import openai
import pytest

GREETING = "Hello! How can I help you today?"


def text_of(chunks):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_azure_deployment_streams(azure, ask):
    chunks = list(openai.ChatCompletion.create(messages=ask("hello"), stream=True, **azure))
    assert chunks[0]["choices"] == [] and chunks[0]["prompt_filter_results"][0]["prompt_index"] == 0
    assert text_of(chunks) == GREETING
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"][0]["delta"] == {}


def test_azure_engine_is_the_deployment_too(azure, ask):
    azure["engine"] = azure.pop("deployment_id")
    completion = openai.ChatCompletion.create(messages=ask("hello"), **azure)
    assert completion.choices[0].message.content == GREETING
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_azure_ad_token_is_accepted(azure, ask):
    completion = openai.ChatCompletion.create(messages=ask("hello"), **(azure | {"api_type": "azure_ad"}))
    assert completion.choices[0].message.content == GREETING


def test_openai_streams_tools_and_text(plain, ask):
    assert text_of(openai.ChatCompletion.create(messages=ask("moon"), stream=True, **plain)) == "望月の夜 🌕"
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
    chunks = openai.ChatCompletion.create(messages=ask("weather in Paris"), tools=tools, stream=True, **plain)
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "get_weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Paris"}


def test_async_client_streams(azure, ask):
    async def run():
        stream = await openai.ChatCompletion.acreate(messages=ask("hello"), stream=True, **azure)
        return text_of([chunk async for chunk in stream])

    assert asyncio.run(run()) == GREETING


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "stream"])
@pytest.mark.parametrize(
    ("prompt", "changed", "kind", "status", "words"),
    [
        ("forbidden", {}, openai.error.InvalidRequestError, 400, "content management policy"),
        ("too many", {}, openai.error.RateLimitError, 429, "retry after 1 second"),
        ("broken", {}, openai.error.APIError, 500, ""),
        ("hello", {"api_key": "wrong"}, openai.error.AuthenticationError, 401, "invalid subscription key"),
        ("hello", {"deployment_id": "gone"}, openai.error.InvalidRequestError, 404, "deployment"),
    ],
    ids=["blocked prompt", "rate limit", "server error", "wrong key", "unknown deployment"],
)
def test_error_on_azure(azure, ask, prompt, changed, kind, status, words, stream):
    with pytest.raises(openai.error.OpenAIError) as caught:
        openai.ChatCompletion.create(messages=ask(prompt), stream=stream, **(azure | changed))
    assert (type(caught.value), caught.value.http_status) == (kind, status)
    assert words in str(caught.value)


def test_blocked_prompt_carries_its_code(azure, ask):
    with pytest.raises(openai.error.InvalidRequestError) as caught:
        openai.ChatCompletion.create(messages=ask("forbidden"), **azure)
    assert caught.value.code == "content_filter"
    assert caught.value.error.innererror.content_filter_result.self_harm.filtered is True
