import json
import re
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.settings import ROOT, Settings, load_settings

SECRET = "s" * 32
WEBHOOK_SECRET = "whsec_" + "a" * 40


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_laptop_needs_no_setting_but_open_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_MODE", "open")
    settings = load_settings()
    assert settings.documents == Path(".data/documents")
    assert Path(settings.embedding_model_path).is_dir()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, "TOKEN_SECRET"),
        ({"TOKEN_SECRET": "short"}, "TOKEN_SECRET"),
        ({"TOKEN_SECRET": SECRET, "SESSION_HOURS": "soon"}, "SESSION_HOURS"),
        ({"TOKEN_SECRET": SECRET, "MAX_ATTACHMENTS": "0"}, "MAX_ATTACHMENTS"),
        ({"TOKEN_SECRET": SECRET, "AUTH_MODE": "none"}, "AUTH_MODE"),
        ({"AUTH_MODE": "open", "WEBSITE_INSTANCE_ID": "1"}, "AUTH_MODE"),
        ({"TOKEN_SECRET": SECRET, "CHAT_PROVIDER": "openai"}, "OPENAI_API_KEY"),
        ({"TOKEN_SECRET": SECRET, "CHAT_PROVIDER": "azure_openai"}, "AZURE_OPENAI_ENDPOINT"),
        ({"AUTH_MODE": "open", "COSMOS_ENDPOINT": "x", "COSMOS_CONNECTION_STRING": "y"}, "COSMOS_CONNECTION_STRING"),
        ({"AUTH_MODE": "open", "VECTOR_INDEX": "cosmos"}, "VECTOR_INDEX"),
        (
            {"AUTH_MODE": "open", "SERVICE_BUS": "x", "SERVICE_BUS__fullyQualifiedNamespace": "y"},
            "SERVICE_BUS__fullyQualifiedNamespace",
        ),
        (
            {"AUTH_MODE": "open", "DOCUMENTS_STORAGE": "x", "DOCUMENTS_STORAGE__blobServiceUri": "y"},
            "DOCUMENTS_STORAGE__blobServiceUri",
        ),
        ({"AUTH_MODE": "open", "SERVICE_BUS": "Endpoint=sb://host;SharedAccessKey=short"}, "SERVICE_BUS"),
        ({"AUTH_MODE": "open", "DOCUMENTS_STORAGE": "AccountKey=short"}, "DOCUMENTS_STORAGE"),
        (
            {"AUTH_MODE": "open", "COSMOS_CONNECTION_STRING": "AccountEndpoint=https://short;"},
            "COSMOS_CONNECTION_STRING",
        ),
        (
            {"AUTH_MODE": "open", "WEB_PUBSUB_CONNECTION_STRING": "Endpoint=short;AccessKey=soon"},
            "WEB_PUBSUB_CONNECTION_STRING",
        ),
        ({"AUTH_MODE": "open", "CHROMA_URL": "chroma:8000"}, "CHROMA_URL"),
        (
            {"AUTH_MODE": "open", "WEB_PUBSUB_ENDPOINT": "https://x", "WEB_PUBSUB_CONNECTION_STRING": "y"},
            "WEB_PUBSUB_CONNECTION_STRING",
        ),
        ({"AUTH_MODE": "open", "WEB_PUBSUB_ENDPOINT": "http://x.webpubsub.azure.com"}, "WEB_PUBSUB_ENDPOINT"),
        ({"AUTH_MODE": "open", "WEB_PUBSUB_HUB": "no-hyphens"}, "WEB_PUBSUB_HUB"),
        ({"TOKEN_SECRET": f"@Microsoft.KeyVault(SecretUri={SECRET})"}, "TOKEN_SECRET"),
        ({"AUTH_MODE": "open", "OPENAI_API_KEY": "@Microsoft.KeyVault(SecretUri=x)"}, "OPENAI_API_KEY"),
        ({"AUTH_MODE": "open", "PUBLIC_URL": "example.com"}, "PUBLIC_URL"),
        ({"AUTH_MODE": "open", "WEBHOOK_URL": "https://example.com/"}, "WEBHOOK_SECRET"),
        ({"AUTH_MODE": "open", "WEBHOOK_URL": "https://example.com/", "WEBHOOK_SECRET": "short"}, "WEBHOOK_SECRET"),
        (
            {"AUTH_MODE": "open", "WEBHOOK_URL": "https://x.zendesk.com/", "WEBHOOK_FORMAT": "zendesk"},
            "WEBHOOK_AUTHORIZATION",
        ),
        ({"AUTH_MODE": "open", "WEBHOOK_AUTHORIZATION": "Bearer\na: b"}, "WEBHOOK_AUTHORIZATION"),
        ({"AUTH_MODE": "open", "WEBHOOK_AUTHORIZATION": "Bearer ü"}, "WEBHOOK_AUTHORIZATION"),
        ({"AUTH_MODE": "open", "WEBHOOK_URL": "https://example.com/", "WEBHOOK_FORMAT": "jira"}, "WEBHOOK_FORMAT"),
    ],
)
def test_a_missing_or_wrong_variable_names_itself(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"\b{named}\b") as error:
        load_settings()
    assert not any(secret in str(error.value) for secret in ("short", "soon"))


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://example.com/hooks?key=1", True),
        ("http://localhost:8000/", True),
        ("http://127.0.0.1:8000/", True),
        ("http://[::1]/", True),
        ("http://example.com/", False),
        ("http://localhost.example.com/", False),
        ("https://user:password@example.com/", False),
        ("https://example.com/#part", False),
        ("https://example.com:port/", False),
        ("https:///path", False),
        ("https://example.com/a b", False),
        ("ftp://example.com/", False),
        ("file:///etc/passwd", False),
        ("example.com", False),
    ],
)
def test_a_webhook_is_encrypted_unless_it_stays_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, url: str, fits: bool
) -> None:
    monkeypatch.setenv("AUTH_MODE", "open")
    monkeypatch.setenv("WEBHOOK_URL", url)
    monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
    if fits:
        assert load_settings().webhook_url == url
    else:
        with pytest.raises(ConfigurationError, match="WEBHOOK_URL"):
            load_settings()


def test_who_has_no_secret_on_a_laptop_is_told_of_open_mode() -> None:
    with pytest.raises(ConfigurationError, match=r"TOKEN_SECRET: .*AUTH_MODE=open, for a laptop, needs none"):
        load_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_SECRET", WEBHOOK_SECRET)
    monkeypatch.setenv("WEBHOOK_AUTHORIZATION", "Bearer abc")
    shown = repr(load_settings())
    assert not any(secret in shown for secret in (SECRET, WEBHOOK_SECRET, "Bearer abc"))


def test_code_documentation_and_example_name_the_same_settings() -> None:
    in_code = {name.upper() for name in Settings.model_fields}
    text = (ROOT / "docs/settings.md").read_text("utf-8")
    documented = {name.upper() for name in re.findall(r"^\| `([A-Z]\w+)` \|", text, re.MULTILINE)}
    of_the_host = {"FUNCTIONS_WORKER_RUNTIME", "AZUREWEBJOBSSTORAGE", "DOCUMENTS_STORAGE__QUEUESERVICEURI"}
    of_the_laptop = {"HOST", "PORT"}
    assert documented - of_the_host - of_the_laptop == in_code
    example = json.loads((ROOT / "local.settings.example.json").read_text("utf-8"))["Values"]
    assert {name for name in example if not name.startswith("AzureWebJobs")} - of_the_host <= in_code
