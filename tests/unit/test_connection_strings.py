"""Connection strings are told apart without the SDKs, and as the SDKs do it."""

import pytest
from azure.servicebus import parse_connection_string
from azure.storage.blob import BlobServiceClient

from shared.connection_strings import check_blob_storage, check_service_bus, cosmos_account, web_pubsub_endpoint

SERVICE_BUS = (
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0=",
    "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true;",
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessSignature=sr=a&sig=c2VjcmV0&se=1",
    "Endpoint=sb://name.servicebus.windows.net/;sharedaccesssignature=sr=a&sig=c2VjcmV0",
)
NOT_SERVICE_BUS = (
    "c2VjcmV0",
    ";",
    "Endpoint=sb://name.servicebus.windows.net/",
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKey=c2VjcmV0",
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=app",
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0;SharedAccessSignature=a",
    "Endpoint=name.servicebus.windows.net;SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0",
    "endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0",
    "SharedAccessKeyName=app;SharedAccessKey=c2VjcmV0",
    "Endpoint=sb://name.servicebus.windows.net/;SharedAccessKeyName=app;c2VjcmV0",
)
STORAGE = (
    "DefaultEndpointsProtocol=https;AccountName=name;AccountKey=c2VjcmV0=;EndpointSuffix=core.windows.net",
    "accountname=name;accountkey=c2VjcmV0",
    "AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:10000/a;",
    "BlobEndpoint=https://name.blob.core.windows.net;SharedAccessSignature=sig=c2VjcmV0",
    "UseDevelopmentStorage=true",
)
NOT_STORAGE = (
    "c2VjcmV0",
    ";",
    "AccountKey=c2VjcmV0",
    "BlobSecondaryEndpoint=http://a;AccountName=a",
    "AccountName=a;b",
)


@pytest.mark.parametrize("text", SERVICE_BUS)
def test_what_opens_service_bus_passes(text: str) -> None:
    check_service_bus(text)
    parse_connection_string(text)


@pytest.mark.parametrize("text", NOT_SERVICE_BUS)
def test_what_does_not_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=" ") as told:
        check_service_bus(text)
    assert "c2VjcmV0" not in str(told.value)
    with pytest.raises(ValueError, match=r"onnection|SharedAccess"):
        parse_connection_string(text)


@pytest.mark.parametrize("text", STORAGE)
def test_what_opens_a_storage_account_passes(text: str) -> None:
    check_blob_storage(text)
    BlobServiceClient.from_connection_string(text)


@pytest.mark.parametrize("text", NOT_STORAGE)
def test_what_opens_no_storage_account_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=" ") as told:
        check_blob_storage(text)
    assert "c2VjcmV0" not in str(told.value)
    with pytest.raises(ValueError, match="onnection"):
        BlobServiceClient.from_connection_string(text)


def test_an_account_of_cosmos_db_is_its_endpoint_and_its_key() -> None:
    account = ("https://name.documents.azure.com:443/", "c2VjcmV0==")
    assert cosmos_account("AccountEndpoint={};AccountKey={};".format(*account)) == account


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("", "NAME=VALUE"),
        ("c2VjcmV0", "NAME=VALUE"),
        ("AccountEndpoint=https://c2VjcmV0;", "AccountKey"),
        ("AccountKey=c2VjcmV0", "AccountEndpoint"),
    ],
)
def test_what_is_no_account_of_cosmos_db_is_refused_and_not_quoted(text: str, lacking: str) -> None:
    with pytest.raises(ValueError, match=lacking) as told:
        cosmos_account(text)
    assert "c2VjcmV0" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        (
            "Endpoint=https://name.webpubsub.azure.com;AccessKey=c2VjcmV0=;Version=1.0;",
            "https://name.webpubsub.azure.com",
        ),
        ("endpoint=http://localhost/;accesskey=c2VjcmV0;Port=8080", "http://localhost:8080"),
    ],
)
def test_the_endpoint_of_web_pubsub(text: str, endpoint: str) -> None:
    assert web_pubsub_endpoint(text) == endpoint


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("c2VjcmV0", "NAME=VALUE"),
        ("Endpoint=https://c2VjcmV0", "AccessKey"),
        ("AccessKey=c2VjcmV0", "Endpoint"),
        ("Endpoint=ftp://c2VjcmV0;AccessKey=c2VjcmV0", "Endpoint"),
    ],
)
def test_what_opens_no_web_pubsub_is_refused_and_not_quoted(text: str, lacking: str) -> None:
    with pytest.raises(ValueError, match=lacking) as told:
        web_pubsub_endpoint(text)
    assert "c2VjcmV0" not in str(told.value)
