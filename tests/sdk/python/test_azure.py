"""The current openai-python against llmirage as Azure OpenAI."""

import asyncio
import json

import openai
import pytest
from pydantic import BaseModel

SAFE = {"filtered": False, "severity": "safe"}
CATEGORIES = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}


class Answer(BaseModel):
    text: str


def clients(url, key):
    """Every way to point openai-python at Azure."""
    version = {"api_key": key, "api_version": "2024-10-21"}
    return {
        "model is the deployment": openai.AzureOpenAI(azure_endpoint=url, **version),
        "endpoint with a slash": openai.AzureOpenAI(azure_endpoint=f"{url}/", **version),
        "azure_deployment": openai.AzureOpenAI(azure_endpoint=url, azure_deployment="gpt-4o-mini", **version),
        "base_url of the deployment": openai.AzureOpenAI(base_url=f"{url}/openai/deployments/gpt-4o-mini", **version),
        "Entra ID token": openai.AzureOpenAI(azure_endpoint=url, azure_ad_token=key, api_version="2024-10-21"),
        "preview api-version": openai.AzureOpenAI(azure_endpoint=url, api_key=key, api_version="2025-03-01-preview"),
        "v1 without api-version": openai.OpenAI(base_url=f"{url}/openai/v1/", api_key=key),
    }


@pytest.mark.parametrize("how", clients("http://127.0.0.1:1", "none"))
def test_stream_has_a_preamble_verdicts_and_usage(url, key, ask, spoken, how):
    client = clients(url, key)[how]
    chunks = list(client.chat.completions.create(model="gpt-4o-mini", messages=ask("hello"), **USAGE))
    preamble, role, *contents, finish, usage = chunks
    assert preamble.choices == [] and preamble.id == "" and preamble.usage is None
    (prompt,) = preamble.model_extra["prompt_filter_results"]
    assert prompt["prompt_index"] == 0
    assert prompt["content_filter_results"].items() >= CATEGORIES.items()
    assert role.choices[0].delta.role == "assistant"
    assert role.choices[0].model_extra["content_filter_results"] == {}
    assert spoken(contents) == "Hello! How can I help you today?"
    assert all(c.choices[0].model_extra["content_filter_results"].items() >= CATEGORIES.items() for c in contents)
    assert finish.choices[0].finish_reason == "stop"
    assert usage.choices == [] and usage.usage.completion_tokens == len(contents)
    assert role.model.startswith("gpt-4o-mini-20"), "the snapshot, not the deployment"


def test_deployment_in_the_path_wins_over_the_model(url, key, ask):
    client = openai.AzureOpenAI(azure_endpoint=url, azure_deployment="gpt-4o", api_key=key, api_version="2024-10-21")
    completion = client.chat.completions.create(model="unused", messages=ask("hello"))
    assert completion.model.startswith("gpt-4o-20")


def test_old_api_version_sends_no_verdicts(url, key, ask, spoken):
    client = openai.AzureOpenAI(azure_endpoint=url, api_key=key, api_version="2023-05-15")
    chunks = list(client.chat.completions.create(model="gpt-35-turbo", messages=ask("hello"), stream=True))
    assert spoken(chunks) == "Hello! How can I help you today?"
    assert chunks[0].choices[0].delta.model_dump(exclude_unset=True) == {"role": "assistant"}
    assert not any("content_filter_results" in (chunk.choices[0].model_extra or {}) for chunk in chunks)


def test_json_reply_carries_both_verdicts(azure, ask):
    completion = azure.chat.completions.create(model="gpt-4o-mini", messages=ask("hello"))
    assert completion.choices[0].message.content == "Hello! How can I help you today?"
    assert completion.choices[0].model_extra["content_filter_results"].items() >= CATEGORIES.items()
    (prompt,) = completion.model_extra["prompt_filter_results"]
    assert prompt["content_filter_results"].items() >= CATEGORIES.items()
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_tool_calls_single_and_parallel(azure, ask, weather):
    cities = {"weather in Paris?": ["Paris"], "weather in both?": ["Paris", "London"]}
    for prompt, expected in cities.items():
        with azure.chat.completions.stream(model="gpt-4o-mini", messages=ask(prompt), tools=weather) as stream:
            stream.until_done()
            choice = stream.get_final_completion().choices[0]
        calls = [json.loads(call.function.arguments)["city"] for call in choice.message.tool_calls]
        assert (calls, choice.finish_reason) == (expected, "tool_calls")


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "stream"])
def test_blocked_prompt_is_a_bad_request(azure, ask, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        azure.chat.completions.create(model="gpt-4o-mini", messages=ask("forbidden"), stream=stream)
    error = caught.value
    assert (error.status_code, error.code, error.param, error.type) == (400, "content_filter", "prompt", None)
    inner = error.body["innererror"]
    assert inner["code"] == "ResponsibleAIPolicyViolation"
    assert inner["content_filter_result"]["self_harm"] == {"filtered": True, "severity": "medium"}
    assert inner["content_filter_result"]["hate"] == SAFE
    assert "content management policy" in error.message


def test_filtered_completion_ends_at_once(azure, ask, spoken):
    chunks = list(azure.chat.completions.create(model="gpt-4o-mini", messages=ask("fight"), **USAGE))
    assert spoken(chunks) == "one two"
    last = chunks[-1].choices[0]
    assert last.finish_reason == "content_filter"
    assert last.model_extra["content_filter_results"]["violence"] == {"filtered": True, "severity": "high"}
    assert all(chunk.usage is None for chunk in chunks), "no usage chunk, though asked for"


def test_filtered_completion_raises_in_the_parsing_helper(azure, ask):
    with pytest.raises(openai.ContentFilterFinishReasonError):
        azure.chat.completions.parse(model="gpt-4o-mini", messages=ask("fight"), response_format=Answer)


def test_asynchronous_filter_annotates_after_the_text(azure, ask, spoken):
    chunks = list(azure.chat.completions.create(model="gpt-4o-mini", messages=ask("asynchronous"), **USAGE))
    annotations = [
        choice for chunk in chunks for choice in chunk.choices if "content_filter_offsets" in choice.model_extra
    ]
    assert annotations and all(choice.delta is None for choice in annotations)
    assert all(
        set(choice.model_extra["content_filter_offsets"]) == {"check_offset", "start_offset", "end_offset"}
        for choice in annotations
    )
    texts = [c for chunk in chunks for c in chunk.choices if c.delta is not None and c.delta.content]
    assert "".join(choice.delta.content for choice in texts) == "Checked while it is sent."
    assert not any("content_filter_results" in choice.model_extra for choice in texts)
    assert chunks[-1].usage is not None


def test_headers_are_those_of_azure(azure, ask):
    raw = azure.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=ask("hello"), stream=True)
    assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert raw.headers["apim-request-id"] and raw.headers["x-request-id"] and raw.headers["x-ms-region"]
    assert not [name for name in raw.headers if name.startswith("openai-")]
    assert len(list(raw.parse())) == 12


def test_async_client_streams(url, key, ask):
    async def run():
        async with openai.AsyncAzureOpenAI(azure_endpoint=url, api_key=key, api_version="2024-10-21") as client:
            stream = await client.chat.completions.create(model="gpt-4o-mini", messages=ask("moon"), stream=True)
            return [choice.delta.content async for chunk in stream for choice in chunk.choices]

    assert asyncio.run(run()) == ["", "望", "月", "の", "夜", " 🌕", None]


def test_client_is_pointed_by_its_environment(url, key, ask, monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", url)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", key)
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    completion = openai.AzureOpenAI().chat.completions.create(model="gpt-4o-mini", messages=ask("hello"))
    assert completion.choices[0].message.content == "Hello! How can I help you today?"
