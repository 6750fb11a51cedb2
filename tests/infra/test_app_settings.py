"""Every setting that the code reads is set in Azure or works there without; nothing is set that nobody reads."""

from typing import Any

import pytest
from pydantic import SecretStr

from shared.settings import Settings, load_settings
from tests.infra.bicep import modules

APP = modules()["app"]
MAIN = modules()["main"]

OF_THE_HOST = {
    "AZURE_CLIENT_ID": "azure-identity: which of the app's identities",
    "AzureWebJobsStorage__credential": "the host's connection to its own account",
    "AzureWebJobsStorage__clientId": "the same",
    "AzureWebJobsStorage__blobServiceUri": "the same: locks and keys",
    "AzureWebJobsStorage__queueServiceUri": "the same: events of blobs on their way",
    "AzureWebJobsStorage__tableServiceUri": "the same: diagnostics",
    "AzureWebJobsDisableHomepage": "`/` is the app's own page",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host writes logs; the app reads it too",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "and as whom",
    "DOCUMENTS_STORAGE__credential": "the blob trigger's connection",
    "DOCUMENTS_STORAGE__clientId": "the same",
    "DOCUMENTS_STORAGE__blobServiceUri": "the same; the app reads it too",
    "DOCUMENTS_STORAGE__queueServiceUri": "the same: what could not be delivered",
    "SERVICE_BUS__credential": "the queue triggers' connection",
    "SERVICE_BUS__clientId": "the same",
    "SERVICE_BUS__fullyQualifiedNamespace": "the same; the app reads it too",
}
LEFT_EMPTY = {
    "DOCUMENTS_DIR": "documents are in blobs",
    "COSMOS_CONNECTION_STRING": "for emulators",
    "SERVICE_BUS": "for emulators",
    "DOCUMENTS_STORAGE": "for emulators",
    "WEB_PUBSUB_CONNECTION_STRING": "for emulators",
    "IDENTITY_KEYS": "a company's choice; without, customers are anonymous",
    "ALLOWED_ORIGINS": "set",
    "OPENAI_API_KEY": "for other providers",
    "OPENAI_BASE_URL": "for other providers",
    "OPENAI_MODEL": "for other providers",
    "AZURE_OPENAI_API_VERSION": "the client's own",
    "AZURE_OPENAI_API_KEY": "the app's identity is used",
    "LINK_HOSTS": "each document's own site",
    "EMBEDDING_DIMENSIONS": "the model's own",
    "EMBEDDING_PROCESSES": "one per processor",
    "WEBHOOK_URL": "a company's choice",
    "WEBHOOK_SECRET": "only with WEBHOOK_URL",
    "WEBHOOK_AUTHORIZATION": "only with WEBHOOK_URL",
    "WEBSITE_INSTANCE_ID": "Azure sets it",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Application Insights has the traces",
}
LAPTOP = {"DATA_DIR", "COMPANY_NAME", "TRUSTED_PROXIES", "CHAT_PROVIDER", "VECTOR_INDEX", "AUTH_MODE"}
"""Their defaults are a laptop's, or must not be left to a default."""
NOT_ON_FLEX = {
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_VNET_ROUTE_ALL",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
    "AzureWebJobsStorage",
}
"""Refused or ignored there: https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""


def set_in_bicep() -> dict[str, str]:
    """Those that may be set in one deployment or another; the last of the union is a company's own choice."""
    always, with_chroma, with_model, with_push, _ = APP.variables["settings"]
    assert with_chroma == "empty(chromaUrl) ? {} : { CHROMA_URL: chromaUrl }"
    assert with_model == "empty(modelEndpoint) ? {} : model"
    assert with_push == "empty(pushEndpoint) ? {} : { WEB_PUBSUB_ENDPOINT: pushEndpoint }"
    return always | {"CHROMA_URL": "chromaUrl", "WEB_PUBSUB_ENDPOINT": "pushEndpoint"} | APP.variables["model"]


def fields() -> dict[str, Any]:
    return {name.upper(): field for name, field in Settings.model_fields.items()}


def test_whatever_is_set_is_read() -> None:
    unread = {name for name in set_in_bicep() if name not in OF_THE_HOST and name.upper() not in fields()}
    assert unread == set()
    assert set(OF_THE_HOST) <= set(set_in_bicep())


def test_whatever_is_read_is_set_or_works_without() -> None:
    there = {name.upper() for name in set_in_bicep()}
    unset = {name: field for name, field in fields().items() if name not in there}
    empty = {name for name, field in unset.items() if field.default in (None, "", SecretStr(""))}
    assert empty - set(LEFT_EMPTY) == set()
    assert LAPTOP & set(unset) == set()
    assert set(LEFT_EMPTY) - {"ALLOWED_ORIGINS"} - set(unset) - ({"DOCUMENTS_STORAGE"} - set(fields())) == set()


def test_flex_consumption_refuses_none_of_them() -> None:
    assert set(set_in_bicep()) & NOT_ON_FLEX == set()


def test_each_connection_of_the_host_says_which_identity() -> None:
    named = set_in_bicep()
    connections = {name.partition("__")[0] for name in named if "__" in name}
    assert connections == {"AzureWebJobsStorage", "DOCUMENTS_STORAGE", "SERVICE_BUS"}
    for connection in connections:
        assert named[f"{connection}__credential"] == "managedidentity"
        assert named[f"{connection}__clientId"] == named["AZURE_CLIENT_ID"] == "identityClientId"
    assert "ClientId=${identityClientId}" in named["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]


@pytest.mark.parametrize("answerer", ["azure_openai", "extractive"])
def test_the_app_starts_with_them_in_azure(monkeypatch: pytest.MonkeyPatch, answerer: str) -> None:
    for name in fields():
        monkeypatch.delenv(name, raising=False)
    values = {
        "COSMOS_ENDPOINT": "https://x.documents.azure.com:443/",
        "PUBLIC_URL": "https://x.azurewebsites.net",
        "TOKEN_SECRET": "s" * 64,
        "CHROMA_URL": "https://chroma.x.azurecontainerapps.io",
        "WEB_PUBSUB_ENDPOINT": "https://x.webpubsub.azure.com",
        "CHAT_PROVIDER": answerer,
        "VECTOR_INDEX": "chroma",
        "ALLOWED_ORIGINS": "",
    }
    for name, value in set_in_bicep().items():
        monkeypatch.setenv(name, values.get(name, value))
    monkeypatch.setenv("WEBSITE_INSTANCE_ID", "1")
    settings = load_settings()
    assert settings.auth_mode == "token"
    assert settings.trusted_proxies == 1
    assert settings.chat_provider == answerer
    assert settings.cosmos_endpoint
    assert settings.service_bus__fullyqualifiednamespace
    assert settings.data_dir.is_absolute()
    assert str(settings.data_dir).startswith("/tmp/")  # the only folder there that can be written


def test_the_token_secret_is_only_ever_a_reference() -> None:
    assert set_in_bicep()["TOKEN_SECRET"] == "@Microsoft.KeyVault(SecretUri=${tokenSecretUri})"
    output = modules()["vault"].of("output")["tokenSecretUri"]
    assert output.body == "${vault.properties.vaultUri}secrets/token-secret"
    assert "/secrets/token-secret?" in (APP.path.parents[2] / "hooks" / "postprovision.sh").read_text()


def test_the_model_is_asked_only_where_there_is_one() -> None:
    assert set_in_bicep()["CHAT_PROVIDER"] == "empty(modelEndpoint) ? 'extractive' : 'azure_openai'"
    always, *_ = APP.variables["settings"]
    assert not {"AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "CHROMA_URL"} & set(always)


def test_outputs_are_named_as_settings() -> None:
    """So that `azd env get-values` serves the operator's commands."""
    named = {name for name in MAIN.of("output") if name.upper() in {key.upper() for key in set_in_bicep()}}
    assert {"COSMOS_ENDPOINT", "COSMOS_DATABASE", "SERVICE_BUS__fullyQualifiedNamespace", "PUBLIC_URL"} <= named
    of_deployment = {
        "AZURE_RESOURCE_GROUP",
        "APP_NAME",
        "KEY_VAULT_NAME",
        "EVENT_TOPIC_NAME",
        "RELEASES_ACCOUNT",
        "PIPELINE_CLIENT_ID",
    }
    assert set(MAIN.of("output")) - named == of_deployment
    assert named <= set(set_in_bicep())
