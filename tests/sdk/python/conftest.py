"""What the tests of the current openai-python share: where the server is, and what is asked of it."""

import os

import openai
import pytest

URL = os.environ["MOCK_URL"]
KEY = os.environ["MOCK_KEY"]


@pytest.fixture
def url():
    return URL


@pytest.fixture
def key():
    return KEY


@pytest.fixture
def client():
    with openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def azure():
    with openai.AzureOpenAI(azure_endpoint=URL, api_key=KEY, api_version="2024-10-21", max_retries=0) as client:
        yield client


@pytest.fixture
def weather():
    """A tool, as a request offers it."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]


@pytest.fixture
def ask():
    """The messages of a one-line conversation."""
    return lambda text: [{"role": "user", "content": text}]


@pytest.fixture
def spoken():
    """The text of a stream's chunks, first choice."""

    def text(chunks):
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices if choice.index == 0]
        return "".join(delta.content or "" for delta in deltas if delta is not None)

    return text
