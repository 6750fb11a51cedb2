"""How a language model fails."""

from __future__ import annotations

from agent_framework.exceptions import AgentFrameworkException


def model_failures() -> tuple[type[Exception], ...]:
    """What a chat client raises when its model cannot be reached, refuses, dawdles, or answers nonsense."""
    import openai

    return (AgentFrameworkException, openai.OpenAIError, TimeoutError)
