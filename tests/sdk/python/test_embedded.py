"""The embedded set, as `llmirage` with no arguments serves it: any key, any model."""

import openai
import pytest


@pytest.mark.parametrize("model", ["gpt-4o-mini", "llama3"])
def test_hello_is_answered_to_any_key_and_model(url, ask, spoken, model):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="anything")
    chunks = list(client.chat.completions.create(model=model, messages=ask("hello"), stream=True))
    assert spoken(chunks) != ""
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_hello_is_answered_on_azure(url, ask, spoken):
    client = openai.AzureOpenAI(azure_endpoint=url, api_key="anything", api_version="2024-10-21")
    chunks = list(client.chat.completions.create(model="any-deployment", messages=ask("hello"), stream=True))
    assert chunks[0].choices == []
    assert spoken(chunks) != ""
