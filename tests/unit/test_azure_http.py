"""Which proxy of the environment leads to a service."""

import os

import pytest

from shared.azure_http import proxies_for

PROXY = "http://proxy.example:3128"


def test_the_environments_proxies_are_for_what_they_do_not_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    assert proxies_for("https://account.documents.azure.com:443/") == {}
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "localhost,.privatelink.example")
    assert proxies_for("https://account.documents.azure.com:443/")["https"] == PROXY
    assert proxies_for("https://account.privatelink.example/") == {}
    assert proxies_for("http://localhost:7071") == {}
