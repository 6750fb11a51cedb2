"""The chat client that the settings ask for. Vendor SDKs are imported when they are needed, not before."""

from __future__ import annotations

from typing import Any

from agent_framework import FunctionInvocationConfiguration

from shared.conversation.extractive import ExtractiveChatClient
from shared.knowledge.spelling import Spelling
from shared.settings import Settings

TOOL_LOOP = FunctionInvocationConfiguration(
    max_iterations=4, max_function_calls=6, max_duration_seconds=30, include_detailed_errors=False
)
"""Agent Framework's default is 40 rounds. A support answer needs a search or two, a file, and a hand-over."""
RETRIES = 1


def extractive_client(spelling: Spelling | None = None) -> Any:
    return ExtractiveChatClient(spelling=spelling, function_invocation_configuration=TOOL_LOOP)


def build_chat_client(settings: Settings, spelling: Spelling | None = None) -> Any:
    """A new client of `settings.chat_provider`. It neither connects nor checks the key before its first use. `spelling`
    is for the extractive one; a language model needs none."""
    match settings.chat_provider:
        case "extractive":
            return extractive_client(spelling)
        case "openai":
            from agent_framework.openai import OpenAIChatCompletionClient
            from openai import AsyncOpenAI

            return OpenAIChatCompletionClient(
                model=settings.openai_model,
                async_client=AsyncOpenAI(
                    api_key=settings.openai_api_key.get_secret_value(),
                    base_url=settings.openai_base_url,
                    **_connection(settings),
                ),
                function_invocation_configuration=TOOL_LOOP,
            )
        case "azure_openai":
            from agent_framework.openai import OpenAIChatCompletionClient
            from openai import AsyncAzureOpenAI

            return OpenAIChatCompletionClient(
                model=settings.azure_openai_deployment,
                async_client=AsyncAzureOpenAI(
                    azure_endpoint=settings.azure_openai_endpoint or "",
                    azure_deployment=settings.azure_openai_deployment,
                    api_version=settings.azure_openai_api_version or AZURE_API_VERSION,
                    **_connection(settings),
                    **_azure_credential(settings),
                ),
                function_invocation_configuration=TOOL_LOOP,
            )


AZURE_API_VERSION = "2024-10-21"
"""The newest generally available dated version of the Azure OpenAI inference API."""


def _connection(settings: Settings) -> dict[str, Any]:
    from openai import DefaultAsyncHttpxClient

    from shared.conversation.model_stream import join_words

    return {
        "timeout": settings.model_timeout_seconds,
        "max_retries": RETRIES,
        "http_client": DefaultAsyncHttpxClient(event_hooks={"response": [join_words]}),
    }


def _azure_credential(settings: Settings) -> dict[str, Any]:
    if key := settings.azure_openai_api_key.get_secret_value():
        return {"api_key": key}
    from azure.identity.aio import DefaultAzureCredential, get_bearer_token_provider

    scope = "https://cognitiveservices.azure.com/.default"
    return {"azure_ad_token_provider": get_bearer_token_provider(DefaultAzureCredential(), scope)}
