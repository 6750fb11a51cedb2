"""The image holds the app and no secrets, and the compose file ties the parts together."""

import re
from fnmatch import fnmatch

import yaml

from shared.settings import Settings
from tests.infra.bicep import ROOT
from tools.package import CONTENTS

DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert instructions("USER") == ["10001"]
    assert DOCKERFILE.index("USER 10001") > DOCKERFILE.rindex("COPY")
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("CMD [")
    assert instructions("HEALTHCHECK")


def test_images_are_pinned() -> None:
    images = [image.partition(" AS ")[0] for image in instructions("FROM")]
    images += [service["image"] for service in SERVICES.values() if "image" in service]
    assert len(images) >= 6
    assert all(re.search(r":v?\d+\.\d+", image) for image in images), images


def test_the_image_has_all_of_the_app_and_nothing_that_is_not_asked_for() -> None:
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert set(CONTENTS) <= copied
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    lines = [line for line in ignore if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert not any(fnmatch(".env", line[1:]) for line in lines if line.startswith("!"))
    assert not re.search(r"(SECRET|KEY|PASSWORD)=", DOCKERFILE)


def test_compose_asks_for_secrets_and_has_none() -> None:
    app = SERVICES["app"]["environment"]
    assert app["AUTH_MODE"] == "token"
    assert app["TOKEN_SECRET"].startswith("${TOKEN_SECRET:?")
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")


def test_compose_sets_what_is_read() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    assert set(SERVICES["app"]["environment"]) <= fields
    assert set(SERVICES["stores"]["environment"]) <= fields


def test_nothing_is_reached_from_outside_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in SERVICES["chroma"]  # it has no accounts


def test_all_the_parts_are_there() -> None:
    assert {"app", "chroma", "azurite", "prometheus", "grafana"} <= set(SERVICES)
    assert "./infra/prometheus:/etc/prometheus:ro" in SERVICES["prometheus"]["volumes"]
    assert any(volume.startswith("./infra/grafana/") for volume in SERVICES["grafana"]["volumes"])
    assert SERVICES["app"]["environment"]["CHROMA_URL"] == "http://chroma:8000"
    assert "azurite:10000" in SERVICES["app"]["environment"]["DOCUMENTS_STORAGE"]
