"""Errors reach the user of openai-python as the class, code and parameter that the real services cause."""

import time

import openai
import pytest


def caught_by(client, **request):
    """The error that a request causes."""
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**({"model": "gpt-4o-mini"} | request))
    return caught.value


def traits(error):
    return type(error), error.status_code, error.code, error.param, error.type


INVALID = "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True], ids=["JSON", "stream"])
@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("too many", (openai.RateLimitError, 429, "rate_limit_exceeded", None, "requests")),
        ("no money", (openai.RateLimitError, 429, "insufficient_quota", None, "insufficient_quota")),
        ("broken", (openai.InternalServerError, 500, None, None, "server_error")),
        ("teapot", (openai.UnprocessableEntityError, 422, "short_and_stout", "messages", "teapot_error")),
    ],
    ids=["rate limit", "quota", "server error", "own error"],
)
def test_error_of_a_fixture(client, ask, prompt, expected, stream):
    error = caught_by(client, messages=ask(prompt), stream=stream)
    assert traits(error) == expected
    assert error.request_id.startswith("req_")


def test_unknown_model(client, ask):
    error = caught_by(client, messages=ask("hello"), model="gpt-99")
    assert traits(error) == (openai.NotFoundError, 404, "model_not_found", None, INVALID)
    assert "`gpt-99`" in error.message


def test_unmatched_request_names_the_nearest_fixture(client, ask):
    error = caught_by(client, messages=ask("nothing that a fixture waits for"))
    assert (type(error), error.status_code) == (openai.NotFoundError, 404)
    assert "no fixture matches" in error.message and "fixtures.json" in error.message


@pytest.mark.parametrize(
    ("request_body", "code", "param"),
    [
        ({"messages": []}, "empty_array", "messages"),
        ({"extra_body": {"foo": 1}}, "unknown_parameter", "foo"),
        ({"stream_options": {"include_usage": True}}, None, "stream_options"),
        ({"temperature": -1}, "decimal_below_min_value", "temperature"),
        ({"max_tokens": 5, "model": "gpt-5-mini"}, "unsupported_parameter", "max_tokens"),
    ],
    ids=["no messages", "unknown parameter", "stream_options alone", "temperature", "max_tokens"],
)
def test_invalid_request(client, ask, request_body, code, param):
    error = caught_by(client, **({"messages": ask("hello")} | request_body))
    assert traits(error) == (openai.BadRequestError, 400, code, param, INVALID)


def test_wrong_key(url, ask):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="sk-this-is-not-the-key-1234")
    error = caught_by(client, messages=ask("hello"))
    assert traits(error) == (openai.AuthenticationError, 401, "invalid_api_key", None, INVALID)
    assert error.message.startswith("Error code: 401") and "Incorrect API key provided: sk-" in error.message
    assert "this-is-not-the-key" not in error.message, "masked, as the real service does"


def test_unknown_path(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/no/such/route", cast_to=object, body={})
    assert "Invalid URL (POST /v1/no/such/route)" in caught.value.message


def test_wrong_key_on_azure(url, ask):
    client = openai.AzureOpenAI(azure_endpoint=url, api_key="wrong", api_version="2024-10-21")
    error = caught_by(client, messages=ask("hello"))
    assert (type(error), error.code) == (openai.AuthenticationError, "401")
    assert "Access denied due to invalid subscription key" in error.message


def test_unknown_deployment_on_azure(azure, ask):
    error = caught_by(azure, messages=ask("hello"), model="no-such-deployment")
    assert (type(error), error.code) == (openai.NotFoundError, "DeploymentNotFound")


def test_unknown_model_on_azure_v1(url, key, ask):
    client = openai.OpenAI(base_url=f"{url}/openai/v1", api_key=key)
    error = caught_by(client, messages=ask("hello"), model="gpt-99")
    assert (type(error), error.code) == (openai.BadRequestError, "unknown_model")


def test_missing_api_version_on_azure(url, key, ask):
    client = openai.OpenAI(base_url=f"{url}/openai/deployments/gpt-4o-mini", api_key=key)
    error = caught_by(client, messages=ask("hello"))
    assert (type(error), error.code, error.body["message"]) == (openai.NotFoundError, "404", "Resource not found")


def test_rate_limit_on_azure(azure, ask):
    error = caught_by(azure, messages=ask("too many"))
    assert (type(error), error.status_code) == (openai.RateLimitError, 429)
    assert error.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("service", ["openai", "azure"])
def test_retry_waits_as_long_as_the_server_says(client, azure, ask, service):
    started = time.monotonic()
    patient = {"openai": client, "azure": azure}[service].with_options(max_retries=1)
    stream = patient.chat.completions.create(model="gpt-4o-mini", messages=ask("try again"), stream=True)
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text == "Second time lucky."
    assert 1.0 <= time.monotonic() - started < 3.0, "the wait of retry-after, not the client's own 0.5 s"


def test_retry_counts_are_in_the_request(client, ask):
    raw = client.with_options(max_retries=1).chat.completions.with_raw_response.create(
        model="gpt-4o-mini", messages=ask("try again")
    )
    assert raw.retries_taken == 1
    assert raw.parse().choices[0].message.content == "Second time lucky."
