"""What Azure is told, compared with what the code needs of it."""

import importlib
import importlib.util
import json
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from functions.chat_http.health import TIMEOUT
from shared.escalation.queue import QUEUES
from shared.memory import cosmos_schema
from tests.infra.bicep import FOLDER, ROOT, Declaration, Expression, File, modules

FILES = modules()
CONTAINERS = "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"
ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": "Azure Service Bus Data Receiver",
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": "Azure Service Bus Data Sender",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
    "12cf5a90-567b-43ae-8102-96cf46c7d9b4": "Web PubSub Service Owner",
    "00000000-0000-0000-0000-000000000002": "Cosmos DB Built-in Data Contributor",
}
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""
GRANTED = {
    "storage": {
        ("hostGrants", "host", "Storage Blob Data Owner"),
        ("hostGrants", "host", "Storage Queue Data Contributor"),
        ("hostGrants", "host", "Storage Table Data Contributor"),
        ("documentGrants", "documents", "Storage Blob Data Contributor"),
        ("documentGrants", "documents", "Storage Queue Data Contributor"),
        ("operatorUploads", "documents", "Storage Blob Data Contributor"),
        ("operatorReleases", "releases", "Storage Blob Data Contributor"),
    },
    "web-pubsub": {("grant", "service", "Web PubSub Service Owner")},
    "servicebus": {
        ("grants", "namespace", "Azure Service Bus Data Receiver"),
        ("grants", "namespace", "Azure Service Bus Data Sender"),
        ("operatorGrants", "namespace", "Azure Service Bus Data Receiver"),
        ("operatorGrants", "namespace", "Azure Service Bus Data Sender"),
    },
    "cosmos": {
        ("grants", "${account.id}/dbs/${database.name}", "Cosmos DB Built-in Data Contributor"),
        ("operatorGrants", "${account.id}/dbs/${database.name}", "Cosmos DB Built-in Data Contributor"),
    },
    "vault": {("reads", "vault", "Key Vault Secrets User")},
    "model": {("uses", "account", "Cognitive Services OpenAI User")},
    "monitoring": {("publishes", "component", "Monitoring Metrics Publisher")},
    "pipeline": {
        ("deploys", "app", "Website Contributor"),
        ("keeps", "releases", "Storage Blob Data Contributor"),
    },
}
"""Everything that anybody may do: resource, scope, role. A new line here is a decision."""


def containers_in_bicep() -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for resource in FILES["cosmos"].resources(CONTAINERS):
        for body in resource.body if isinstance(resource.body, list) else [resource.body]:
            found[body["properties"]["resource"]["id"]] = body["properties"]["resource"] | {"name": body["name"]}
    return found


def assert_is(container: Mapping[str, Any], partition_key: str, policy: Mapping[str, Any]) -> None:
    assert container["name"] == container["id"]
    assert container["partitionKey"] == {"paths": [partition_key], "kind": "Hash", "version": 2}
    assert container["defaultTtl"] == cosmos_schema.NEVER
    assert container["indexingPolicy"] == policy


def test_the_memory_lies_as_the_code_lays_it_out() -> None:
    found = containers_in_bicep()
    for name, (partition_key, policy) in cosmos_schema.CONTAINERS.items():
        assert_is(found.pop(name), partition_key, policy)
    assert set(found) == {"records", "chunks-${dimensions}"}


@pytest.mark.skipif(
    importlib.util.find_spec("shared.knowledge.cosmos_schema") is None, reason="there is no vector search in Cosmos DB"
)
def test_the_search_index_lies_as_the_code_lays_it_out() -> None:
    schema = importlib.import_module("shared.knowledge.cosmos_schema")
    found = containers_in_bicep()
    dimensions = 384
    for name, (partition_key, policy) in schema.containers(dimensions).items():
        container = found[name if name in found else "chunks-${dimensions}"]
        assert_is(container, partition_key, policy)
        vectors = schema.vectors(dimensions).get(name)
        wanted = json.loads(json.dumps(vectors).replace(str(dimensions), '"dimensions"')) if vectors else None
        assert container.get("vectorEmbeddingPolicy") == wanted
    assert "param embeddingDimensions int = 384" in FILES["main"].of("param")["embeddingDimensions"].text
    model = json.loads((ROOT / "models/all-MiniLM-L6-v2/config.json").read_text())
    assert model["hidden_size"] == dimensions


def test_a_database_that_searches_vectors_shares_no_throughput() -> None:
    file = FILES["cosmos"]
    assert file.variables["sharedThroughput"] == "withIndex ? {} : autoscale"
    assert file.variables["ownThroughput"] == "withIndex ? autoscale : {}"
    assert file.of("resource")["database"].body["properties"]["options"] == "withIndex ? {} : autoscale"
    for resource in file.resources(CONTAINERS):
        for body in resource.body if isinstance(resource.body, list) else [resource.body]:
            assert body["properties"]["options"] == "withIndex ? autoscale : {}"
    assert "withIndex ? [{ name: 'EnableNoSQLVectorSearch' }] : []" in file.of("var")["search"].text


def test_queues_are_as_decided() -> None:
    """docs/decisions/0010, and what the code counts on: see `QueueMessage`, `SEARCH_SECONDS`, `MAX_PAUSE`."""
    from functions.escalation_queue.function import MAX_PAUSE
    from shared.escalation.servicebus import SEARCH_SECONDS
    from shared.escalation.servicebus_schema import DELIVERIES, DUPLICATES, LOCK

    queues = FILES["servicebus"].of("resource")["queue"].body
    assert {queue["name"] for queue in queues} == set(QUEUES)
    for queue in queues:
        about = queue["properties"]
        assert about["requiresDuplicateDetection"] is True
        assert duration(about["duplicateDetectionHistoryTimeWindow"]) == DUPLICATES
        assert duration(about["lockDuration"]) == LOCK
        assert duration(about["lockDuration"]).total_seconds() > max(MAX_PAUSE, SEARCH_SECONDS)
        assert about["maxDeliveryCount"] == DELIVERIES
        assert about["requiresSession"] is False
        assert about["enablePartitioning"] is False
        assert "defaultMessageTimeToLive" not in about  # a ticket never expires


def duration(iso: str) -> timedelta:
    minutes = re.fullmatch(r"PT(\d+)M", iso)
    assert minutes, iso
    return timedelta(minutes=int(minutes[1]))


def test_documents_and_transcripts_have_their_containers() -> None:
    from functions.ingest_blob.function import CONTAINER

    made = FILES["storage"].of("resource")
    assert [body["name"] for body in made["containers"].body] == [CONTAINER, "transcripts"]
    assert {made[name].body["name"] for name in ("packages", "releases")} == {"packages", "releases"}
    for name in ("packages", "releases"):
        assert made[name].body["properties"] == {"publicAccess": "None"}
    assert all(body["properties"] == {"publicAccess": "None"} for body in made["containers"].body)
    assert made["documentBlobs"].body["parent"] == "documents"
    for account in ("host", "documents"):
        assert made[account].body["properties"]["allowBlobPublicAccess"] is False


def test_nobody_may_more_than_is_written_here() -> None:
    for name, file in FILES.items():
        found = {grant for resource in file.of("resource").values() for grant in grants(file, resource)}
        assert found == GRANTED.get(name, set()), name


def grants(file: File, resource: Declaration) -> list[tuple[str, str, str]]:
    bodies = resource.body if isinstance(resource.body, list) else [resource.body]
    if resource.type == "Microsoft.Authorization/roleAssignments":
        scopes = [(body["scope"], body["properties"]["roleDefinitionId"]) for body in bodies]
    elif resource.type.endswith("/sqlRoleAssignments"):
        scopes = [(body["properties"]["scope"], body["properties"]["roleDefinitionId"]) for body in bodies]
    else:
        return []
    loop = re.search(r"for role in \[([\w, ]+)\]", resource.text)
    names = loop[1].split(", ") if loop else [re.findall(r"\b\w+\b", scopes[0][1])[-1]]
    # Of a loop the role is a variable of this file; its name must be its number, which must be known.
    return [(resource.name, scopes[0][0], ROLES[file.variables[name]]) for name in names]


def test_rights_go_to_whom_their_names_say() -> None:
    for file in FILES.values():
        for resource in file.of("resource").values():
            if not resource.type.endswith(("/roleAssignments", "/sqlRoleAssignments")):
                continue
            for body in resource.body if isinstance(resource.body, list) else [resource.body]:
                owner = "operatorPrincipalId" if resource.name.startswith("operator") else "principalId"
                owner = "identity.properties.principalId" if file is FILES["pipeline"] else owner
                assert body["properties"]["principalId"] == owner, resource.name


def test_choices_that_cannot_be_seen_from_outside() -> None:
    account = FILES["cosmos"].of("resource")["account"].body["properties"]
    assert account["consistencyPolicy"] == {"defaultConsistencyLevel": "Session"}
    assert account["capabilities"] == [
        "serverless ? [{ name: 'EnableServerless' }] : []",
        "withIndex ? [{ name: 'EnableNoSQLVectorSearch' }] : []",
    ]
    assert account["backupPolicy"]["type"] == "Continuous"
    database = FILES["cosmos"].of("resource")["database"].body
    assert database["name"] == database["properties"]["resource"]["id"] == "databaseName"
    vault = FILES["vault"].of("resource")["vault"].body["properties"]
    assert vault["enablePurgeProtection"] is True
    assert vault["enableSoftDelete"] is True
    (rule,) = FILES["network"].of("resource")["rules"].body["properties"]["securityRules"]
    assert (rule["properties"]["access"], rule["properties"]["direction"]) == ("Deny", "Inbound")
    assert rule["properties"]["sourceAddressPrefix"] == "Internet"


def test_each_choice_of_the_index_makes_what_it_needs() -> None:
    main = FILES["main"]
    assert main.variables["withChroma"] == "vectorIndex == 'chroma'"
    assert main.variables["withModel"] == "answerer == 'azure_openai'"
    assert main.variables["withNetwork"] == "withChroma || privateNetworking"
    assert main.of("module")["cosmos"].body["params"]["withIndex"] == "!withChroma"
    conditions = {name: re.search(r"= if \((.+)\) \{", module.text) for name, module in main.of("module").items()}
    made_if = {name: condition[1] for name, condition in conditions.items() if condition}
    assert made_if == {
        "network": "withNetwork",
        "model": "withModel",
        "chroma": "withChroma",
        "webPubSub": "pushNews",
        "pipeline": "!empty(githubRepository)",
    }


def test_nobody_signs_in_with_a_key() -> None:
    off = {
        "Microsoft.Storage/storageAccounts": ("allowSharedKeyAccess", False),
        "Microsoft.DocumentDB/databaseAccounts": ("disableLocalAuth", True),
        "Microsoft.ServiceBus/namespaces": ("disableLocalAuth", True),
        "Microsoft.CognitiveServices/accounts": ("disableLocalAuth", True),
        "Microsoft.Insights/components": ("DisableLocalAuth", True),
        "Microsoft.KeyVault/vaults": ("enableRbacAuthorization", True),
    }
    checked = [
        (resource.type, resource.body["properties"].get(off[resource.type][0]) is off[resource.type][1])
        for file in FILES.values()
        for resource in file.of("resource").values()
        if resource.type in off and isinstance(resource.body, dict) and "properties" in resource.body
    ]
    assert {type_ for type_, _ in checked} == set(off)
    assert all(is_off for _, is_off in checked)
    no_passwords = FILES["app"].of("resource")["noPasswords"].body
    assert [(body["name"], body["properties"]["allow"]) for body in no_passwords] == [("ftp", False), ("scm", False)]
    listed = r"\b(listKeys|listConnectionStrings|listAccountSas|listAdminKeys|listSecrets)\b"
    assert not any(re.search(listed, path.read_text()) for path in FOLDER.rglob("*.bicep"))


def test_with_private_networking_stores_have_no_public_address() -> None:
    for name, resource in (
        ("storage", "host"),
        ("storage", "documents"),
        ("cosmos", "account"),
        ("vault", "vault"),
        ("model", "account"),
    ):
        properties = FILES[name].of("resource")[resource].body["properties"]
        assert properties["publicNetworkAccess"] == "private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'"
        if name != "cosmos":
            assert properties["networkAcls"]["defaultAction"] == "private ? 'Deny' : 'Allow'"
    assert FILES["cosmos"].of("resource")["account"].body["properties"]["ipRules"] == "private ? addresses : []"


def test_every_private_endpoint_finds_its_zone() -> None:
    zones = {
        zone.replace("${environment().suffixes.storage}", "STORAGE") for zone in FILES["network"].variables["zones"]
    }
    wanted: set[str] = set()
    for file in FILES.values():
        for module in file.of("module").values():
            if module.type == "endpoint.bicep":
                for body in module.body if isinstance(module.body, list) else [module.body]:
                    zone = body["params"]["zoneName"].replace("${environment().suffixes.storage}", "STORAGE")
                    parts = [body["params"]["groupId"]]
                    wanted |= {zone.replace("${part}", part) for part in parts}
                    assert body["params"]["subnetId"] == "endpointSubnetId"
    assert wanted == zones


def test_chroma_is_one_machine_that_only_the_network_reaches() -> None:
    made = FILES["chroma"].of("resource")
    chroma = made["chroma"].body["properties"]
    assert chroma["template"]["scale"] == {"minReplicas": 1, "maxReplicas": 1}
    assert chroma["configuration"]["activeRevisionsMode"] == "Single"
    # `external` of an internal environment is the network; without it the app would be outside.
    ingress = {"external": True, "targetPort": 8000, "transport": "http", "allowInsecure": False}
    assert chroma["configuration"]["ingress"] == ingress
    environment = made["environment"].body["properties"]
    assert environment["vnetConfiguration"]["internal"] is True
    assert environment["publicNetworkAccess"] == "Disabled"
    assert made["files"].body["properties"]["networkAcls"]["defaultAction"] == "Deny"
    assert [share["properties"]["enabledProtocols"] for share in made["share"].body] == ["NFS", "NFS"]
    (mount,) = chroma["template"]["containers"][0]["volumeMounts"]
    assert mount == {"volumeName": "index", "mountPath": "/data"}
    (volume,) = chroma["template"]["volumes"]
    assert volume == {"name": "index", "storageType": "NfsAzureFile", "storageName": "index"}


def test_chroma_s_backup_runs_the_script_that_is_tested() -> None:
    job = FILES["chroma"].of("resource")["backup"].body["properties"]
    (container,) = job["template"]["containers"]
    assert container["command"][:2] == ["python", "-c"]
    assert container["command"][2] == "loadTextContent('../../chroma/backup.py')"
    assert container["args"] == [mount["mountPath"] for mount in container["volumeMounts"]] == ["/data", "/backup"]
    assert job["configuration"]["triggerType"] == "Schedule"


def test_server_and_client_of_chroma_are_of_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pinned,) = [line.partition("==")[2] for line in project["dependencies"] if line.startswith("chromadb==")]
    images = re.findall(r"chromadb/chroma:([\w.]+)", (FOLDER / "main.bicep").read_text())
    images += re.findall(r"chromadb/chroma:([\w.]+)", (ROOT / "compose.yaml").read_text())
    assert images == [pinned, pinned]


def test_the_app_runs_on_the_runtime_that_is_tested() -> None:
    app = FILES["app"].of("resource")["app"].body
    assert app["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.13,<3.14"
    assert app["identity"]["type"] == "UserAssigned"
    assert app["properties"]["httpsOnly"] is True
    assert app["properties"]["siteConfig"].items() >= {"minTlsVersion": "1.2", "scmMinTlsVersion": "1.2"}.items()
    assert app["properties"]["siteConfig"]["ftpsState"] == "Disabled"
    assert app["properties"]["virtualNetworkSubnetId"] == "empty(subnetId) ? null : subnetId"
    assert app["properties"]["keyVaultReferenceIdentity"] == "identityId"
    authentication = app["properties"]["functionAppConfig"]["deployment"]["storage"]["authentication"]
    assert authentication == {"type": "UserAssignedIdentity", "userAssignedIdentityResourceId": "identityId"}
    assert FILES["app"].of("resource")["plan"].body["sku"] == {"tier": "FlexConsumption", "name": "FC1"}


def test_networks_of_flex_and_container_apps_are_delegated_and_apart() -> None:
    subnets = FILES["network"].of("resource")["network"].body["properties"]["subnets"]
    delegated = {
        subnet["name"]: subnet["properties"]["delegations"][0]["properties"]["serviceName"]
        for subnet in subnets
        if "delegations" in subnet["properties"]
    }
    assert delegated == {"app": "Microsoft.App/environments", "chroma": "Microsoft.App/environments"}
    assert not any("_" in subnet["name"] for subnet in subnets)
    ranges = [subnet["properties"]["addressPrefix"] for subnet in subnets]
    assert len(set(ranges)) == len(ranges) == 3
    (chroma,) = [subnet["properties"] for subnet in subnets if subnet["name"] == "chroma"]
    assert chroma["serviceEndpoints"] == [{"service": "Microsoft.Storage"}]
    for output in ("app", "chroma", "endpoint"):
        assert f"'${{network.id}}/subnets/{output}" in FILES["network"].of("output")[f"{output}SubnetId"].text


WIRED = {
    "monitoring": {"principalId": "identity.outputs.principalId"},
    "alerts": {"componentId": "monitoring.outputs.componentId"},
    "storage": {"principalId": "identity.outputs.principalId", "endpointSubnetId": "ENDPOINTS"},
    "events": {"sourceId": "storage.outputs.documentsId"},
    "vault": {"principalId": "identity.outputs.principalId", "endpointSubnetId": "ENDPOINTS"},
    "cosmos": {"principalId": "identity.outputs.principalId", "endpointSubnetId": "ENDPOINTS"},
    "serviceBus": {"principalId": "identity.outputs.principalId", "endpointSubnetId": "ENDPOINTS"},
    "model": {"principalId": "identity.outputs.principalId", "endpointSubnetId": "ENDPOINTS"},
    "chroma": {
        "networkId": "network!.outputs.id",
        "subnetId": "network!.outputs.chromaSubnetId",
        "workspaceId": "monitoring.outputs.workspaceId",
    },
    "webPubSub": {"principalId": "identity.outputs.principalId"},
    "app": {
        "identityId": "identity.outputs.id",
        "identityClientId": "identity.outputs.clientId",
        "subnetId": "withNetwork ? network!.outputs.appSubnetId : ''",
        "packagesUri": "storage.outputs.packagesUri",
        "hostBlobUri": "storage.outputs.hostBlobUri",
        "hostQueueUri": "storage.outputs.hostQueueUri",
        "hostTableUri": "storage.outputs.hostTableUri",
        "documentsBlobUri": "storage.outputs.documentsBlobUri",
        "documentsQueueUri": "storage.outputs.documentsQueueUri",
        "insightsConnectionString": "monitoring.outputs.connectionString",
        "cosmosEndpoint": "cosmos.outputs.endpoint",
        "cosmosDatabase": "cosmos.outputs.databaseName",
        "serviceBusHostName": "serviceBus.outputs.hostName",
        "tokenSecretUri": "vault.outputs.tokenSecretUri",
        "modelEndpoint": "withModel ? model!.outputs.endpoint : ''",
        "modelDeployment": "withModel ? model!.outputs.deploymentName : ''",
        "chromaUrl": "withChroma ? chroma!.outputs.url : ''",
        "pushEndpoint": "pushNews ? webPubSub!.outputs.endpoint : ''",
    },
    "pipeline": {"appName": "app.outputs.name", "hostStorageName": "storage.outputs.hostName"},
}
"""What one module is given of another. All of it is text, so that neither compiler nor types see two values swapped."""


def test_modules_are_given_what_is_meant_for_them() -> None:
    endpoints = "privateNetworking ? network!.outputs.endpointSubnetId : ''"
    for name, module in FILES["main"].of("module").items():
        given = {key: value for key, value in module.body["params"].items() if ".outputs." in str(value)}
        wanted = {key: value.replace("ENDPOINTS", endpoints) for key, value in WIRED.get(name, {}).items()}
        assert given == wanted, name


def test_outputs_of_storage_are_of_the_account_that_they_name() -> None:
    outputs = {name: str(output.body) for name, output in FILES["storage"].of("output").items()}
    assert outputs == {
        "hostName": "host.name",
        "hostBlobUri": "host.properties.primaryEndpoints.blob",
        "hostQueueUri": "host.properties.primaryEndpoints.queue",
        "hostTableUri": "host.properties.primaryEndpoints.table",
        "packagesUri": "${host.properties.primaryEndpoints.blob}${packages.name}",
        "documentsId": "documents.id",
        "documentsBlobUri": "documents.properties.primaryEndpoints.blob",
        "documentsQueueUri": "documents.properties.primaryEndpoints.queue",
    }


def test_every_parameter_says_what_it_does() -> None:
    text = (FOLDER / "main.bicep").read_text()
    said = set(re.findall(r"@description\('.{8,}'\)\nparam (\w+)", text))
    assert said == set(FILES["main"].of("param"))


def test_azd_gives_parameters_that_exist_and_all_that_are_needed() -> None:
    given = json.loads((FOLDER / "main.parameters.json").read_text())["parameters"]
    parameters = FILES["main"].of("param")
    assert set(given) <= set(parameters)
    needed = {name for name, parameter in parameters.items() if " = " not in parameter.text.splitlines()[-1]}
    assert needed <= set(given)


def test_names_fit_the_services_that_have_limits() -> None:
    token = "x" * 13  # uniqueString
    text = (FOLDER / "main.bicep").read_text()
    names = {prefix: f"{prefix}{token}" for prefix in re.findall(r"'([a-z-]+)\$\{token\}'", text)}
    for prefix in ("sthost", "stdocs", "stchroma", "kv-"):
        assert len(names[prefix]) <= 24, prefix
    assert all(re.fullmatch(r"[a-z0-9]+", names[prefix]) for prefix in ("sthost", "stdocs", "stchroma"))
    assert len(f"{names['chroma-']}-backup") <= 32  # a job


def test_each_resource_is_found_again_by_azd() -> None:
    app = FILES["app"].of("resource")["app"].body
    assert "'azd-service-name': 'app'" in str(FILES["app"].of("resource")["app"].text)
    assert "app:" in (ROOT / "azure.yaml").read_text()
    assert isinstance(app["tags"], list | Expression)


def test_a_probe_waits_longer_than_the_app_tries() -> None:
    """The container's own check must not give up before the app says that a store is away."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    (patience,) = re.findall(r"timeout=(\d+)", re.findall(r"urlopen\(.*\)", dockerfile)[0])
    assert int(patience) > TIMEOUT
