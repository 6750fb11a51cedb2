"""Connection strings are told apart without the SDKs, and as the SDKs do it."""

import pytest
from azure.servicebus import parse_connection_string
from azure.storage.blob import BlobServiceClient

from shared.connection_strings import check_blob_storage, check_service_bus

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
