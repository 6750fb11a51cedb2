"""Every setting of the product: its environment variable, type, default and meaning. Read once, at start.

Only `services.py` hands them out; nothing else reads the environment. The variable's name is the field's, in capitals.
`docs/settings.md` and `local.settings.example.json` list the same names (a test keeps the three together).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from shared.connection_strings import CHECKS
from shared.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
MOST_PROCESSES = 4
"""That embed, unless more are asked for: beside them the app must answer."""
MIN_SECRET = 32
"""RFC 7518 §3.2: an HS256 key must be at least as long as the hash, 32 bytes."""
LOCALHOST = ("localhost", "127.0.0.1", "::1")
UNRESOLVED = "@Microsoft.KeyVault("
"""How Azure leaves a setting whose secret it can not read: as a key, that would be one that everybody knows."""
NEW_WEBHOOK_KEY = (
    "python -c 'import base64, secrets; print(\"whsec_\" + base64.b64encode(secrets.token_bytes(32)).decode())'"
)

PositiveInt = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    # ---- where things are
    data_dir: Path = Field(Path(".data"), description="Folder of the embedded stores (SQLite files, vector index).")
    documents_dir: Path | None = Field(None, description="Folder of the documents; default: DATA_DIR/documents.")

    cosmos_endpoint: str | None = Field(
        None, description="https://NAME.documents.azure.com: conversations are kept there; the app's identity is used."
    )
    cosmos_database: str = Field("support-agent", description="The database there.")
    cosmos_connection_string: SecretStr = Field(
        SecretStr(""), description="Endpoint and key in place of COSMOS_ENDPOINT, for emulators."
    )
    vector_index: Literal["chroma", "cosmos"] = Field(
        "chroma", description="Where the search index is: `chroma`, or `cosmos` for vector search in that account."
    )

    documents_storage: SecretStr = Field(
        SecretStr(""),
        description="Connection string of the storage account of documents and long transcripts, for emulators;"
        " default: folders.",
    )
    documents_storage__blobserviceuri: str | None = Field(
        None, description="https://NAME.blob.core.windows.net: that account; the app's identity is used."
    )

    chroma_url: str | None = Field(
        None, description="http://HOST:8000 of a Chroma server that holds the index; default: Chroma in this process."
    )
    chroma_tenant: str = Field("default_tenant", description="The tenant there.")
    chroma_database: str = Field("default_database", description="The database there.")

    service_bus: SecretStr = Field(
        SecretStr(""), description="Connection string of Service Bus, for emulators; default: queues in a file."
    )
    service_bus__fullyqualifiednamespace: str | None = Field(
        None, description="NAME.servicebus.windows.net: the queues are there; the app's identity is used."
    )

    web_pubsub_endpoint: str | None = Field(
        None, description="https://NAME.webpubsub.azure.com: news are pushed there; the app's identity is used."
    )
    web_pubsub_connection_string: SecretStr = Field(
        SecretStr(""),
        description="Endpoint and key in place of WEB_PUBSUB_ENDPOINT, for emulators; default: clients poll.",
    )
    web_pubsub_hub: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$")] = Field(
        "support", description="The hub there."
    )

    # ---- who may call
    auth_mode: Literal["token", "open"] = Field(
        "token", description="`token`: a session's token is asked for. `open`: it is not; refused in Azure."
    )
    token_secret: SecretStr = Field(SecretStr(""), description="Key that signs tokens, at least 32 random bytes.")
    identity_keys: SecretStr = Field(
        SecretStr(""),
        description="JSON Web Key Set of the site that vouches for customers; each key with `kid` and `alg`.",
    )
    identity_audience: str = Field("support-agent", description="The `aud` that identity tokens must have.")
    identity_max_minutes: PositiveInt = Field(10, description="Most minutes until an identity token expires.")
    session_hours: PositiveInt = Field(24, description="Hours until a conversation expires, and its token with it.")
    retention_days: PositiveInt = Field(
        30, description="Days that an expired conversation is kept for operators and analytics; then it is erased."
    )
    human_silence_minutes: PositiveInt = Field(
        60,
        description="Minutes that a customer waits for a person, or nobody says anything, until the bot answers again.",
    )
    fact_days: PositiveInt = Field(365, description="Days until something that a customer had remembered is forgotten.")
    operator_token_minutes: PositiveInt = Field(60, description="Minutes until an operator's token expires.")
    allowed_origins: str = Field("", description="Exact origins that may call from a browser, comma-separated.")
    sessions_per_minute: PositiveInt = Field(5, description="New conversations per client and minute.")
    messages_per_minute: PositiveInt = Field(30, description="Messages and other session calls per client and minute.")
    health_per_minute: PositiveInt = Field(60, description="Health calls per client and minute.")
    logins_per_minute: PositiveInt = Field(5, description="Operator logins per client and minute.")
    operator_calls_per_minute: PositiveInt = Field(300, description="Calls of operators per client and minute.")
    trusted_proxies: Annotated[int, Field(ge=0)] = Field(
        0, description="Proxies before the app whose X-Forwarded-For entry is believed (0: none; in Azure: 1)."
    )

    # ---- the chat model
    chat_provider: Literal["extractive", "openai", "azure_openai"] = Field(
        "extractive", description="`extractive` needs no key; the others write their answers with a language model."
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key for `openai`.")
    openai_base_url: str | None = Field(None, description="Any OpenAI-compatible endpoint; default: OpenAI's own.")
    openai_model: str | None = Field(None, description="Model name for `openai`.")
    azure_openai_endpoint: str | None = Field(None, description="https://NAME.openai.azure.com")
    azure_openai_deployment: str | None = Field(None, description="Name of the model deployment.")
    azure_openai_api_version: str | None = Field(None, description="Default: the client's own.")
    azure_openai_api_key: SecretStr = Field(SecretStr(""), description="Left empty, the app's identity is used.")
    model_timeout_seconds: Seconds = Field(20, description="Longest wait for one model call.")
    turn_timeout_seconds: Seconds = Field(60, description="Longest time for one whole turn.")
    link_hosts: str = Field(
        "",
        description="Hosts that answers may link to, comma-separated;"
        " default: each document's own site and those of ALLOWED_ORIGINS.",
    )
    history_tokens: PositiveInt = Field(3000, description="Most tokens of the conversation that a model is shown.")
    company_name: str = Field("our company", description="How the agent names the company it answers for.")

    # ---- knowledge
    embedding_backend: Literal["onnx", "sentence-transformers"] = "onnx"
    embedding_model: str = Field(
        "models/all-MiniLM-L6-v2", description="Model folder; for sentence-transformers also a hub name."
    )
    embedding_dimensions: PositiveInt | None = Field(
        None, description="Truncate vectors to this many dimensions; default: the model's own number."
    )
    embedding_processes: PositiveInt | None = Field(
        None,
        description="Processes that embed many documents; default: one per processor, at most 4;"
        " one with sentence-transformers.",
    )
    max_document_bytes: PositiveInt = Field(50_000_000, description="Larger documents are not read.")
    parse_timeout_seconds: Seconds = Field(60, description="Longest time for reading one document.")
    parse_memory_mb: PositiveInt = Field(1024, description="Most memory for reading one document.")

    # ---- limits of a process
    turns_at_once: PositiveInt = Field(
        32, description="Messages that a process answers at once; as many more wait, and what comes beyond is refused."
    )
    turn_wait_seconds: Seconds = Field(1, description="Longest wait of such a message for its place.")

    # ---- limits of a request
    max_message_chars: PositiveInt = Field(4000, description="Longest message.")
    max_attachments: PositiveInt = Field(5, description="Most attachments of one message.")
    max_attachment_bytes: PositiveInt = Field(10_000_000, description="Largest attachment.")

    # ---- helpdesks
    public_url: str | None = Field(
        None, description="Address at which people reach the app: makes the links in tickets absolute."
    )
    webhook_url: str | None = Field(
        None, description="Every event for helpdesks is also posted there; https, or http on this machine."
    )
    webhook_format: Literal["cloudevents", "zendesk", "freshdesk"] = Field(
        "cloudevents",
        description="What is posted: the event as it is, or a new ticket as that helpdesk takes it.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Key that signs what is posted: whsec_ and 24 to 64 random bytes in base64."
    )
    webhook_authorization: SecretStr = Field(
        SecretStr(""), description="Authorization header of what is posted; helpdesks need one."
    )

    # ---- the host
    website_instance_id: str | None = Field(None, description="Set by Azure, which tells the app that it runs there.")

    # ---- what is told
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    applicationinsights_connection_string: SecretStr = Field(
        SecretStr(""), description="Traces and metrics go to this Application Insights; Bicep sets it."
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="http://HOST:4317 of an OpenTelemetry collector: traces go there (gRPC)."
    )
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = Field(1, description="Share of the traces that is exported.")
    model_input_price: Annotated[float, Field(ge=0)] = Field(
        0, description="US dollars for a million tokens that the model reads; with 0 no cost is counted."
    )
    model_output_price: Annotated[float, Field(ge=0)] = Field(
        0, description="US dollars for a million tokens that the model writes."
    )

    @property
    def documents_in_blobs(self) -> bool:
        return bool(self.documents_storage__blobserviceuri or self.documents_storage.get_secret_value())

    @property
    def documents(self) -> Path:
        """The folder of the documents, unless they are in blobs."""
        return self.documents_dir or self.data_dir / "documents"

    @property
    def index_in_folder(self) -> bool:
        """Whether the search index is in `data_dir`, for one process to serve from."""
        return self.vector_index == "chroma" and not self.chroma_url

    @property
    def processes_that_embed(self) -> int:
        """With the default model each takes 100 MB; with torch it is 500 MB, and torch uses every processor itself."""
        if self.embedding_backend == "onnx":
            return self.embedding_processes or min(os.process_cpu_count() or 1, MOST_PROCESSES)
        return self.embedding_processes or 1

    @property
    def embedding_model_path(self) -> str:
        """The model folder, also when the process runs elsewhere; a hub name is returned as it is."""
        folder = ROOT / self.embedding_model
        return str(folder) if folder.is_dir() else self.embedding_model

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            f"{name.upper()}: Azure could not read it from the key vault; see the app's Environment variables there"
            for name, value in self
            if isinstance(value, SecretStr) and value.get_secret_value().startswith(UNRESOLVED)
        ]
        if self.cosmos_endpoint and self.cosmos_connection_string.get_secret_value():
            problems.append("COSMOS_CONNECTION_STRING: is for emulators; leave it out beside COSMOS_ENDPOINT")
        if self.vector_index == "cosmos" and not (
            self.cosmos_endpoint or self.cosmos_connection_string.get_secret_value()
        ):
            problems.append("VECTOR_INDEX: `cosmos` needs COSMOS_ENDPOINT or COSMOS_CONNECTION_STRING")
        if self.service_bus__fullyqualifiednamespace and self.service_bus.get_secret_value():
            problems.append("SERVICE_BUS: is for emulators; leave it out beside SERVICE_BUS__fullyQualifiedNamespace")
        if self.documents_storage__blobserviceuri and self.documents_storage.get_secret_value():
            problems.append(
                "DOCUMENTS_STORAGE: is for emulators; leave it out beside DOCUMENTS_STORAGE__blobServiceUri"
            )
        if self.web_pubsub_endpoint and self.web_pubsub_connection_string.get_secret_value():
            problems.append("WEB_PUBSUB_CONNECTION_STRING: is for emulators; leave it out beside WEB_PUBSUB_ENDPOINT")
        if self.web_pubsub_endpoint and not _is_address(self.web_pubsub_endpoint, encrypted=True):
            problems.append("WEB_PUBSUB_ENDPOINT: must be an address like https://NAME.webpubsub.azure.com")
        if self.chroma_url and not _is_address(self.chroma_url):
            problems.append("CHROMA_URL: must be an address like http://chroma:8000")
        if self.auth_mode == "open" and self.website_instance_id:
            problems.append("AUTH_MODE: `open` is for a laptop; in Azure set AUTH_MODE=token")
        if self.auth_mode == "token" and len(self.token_secret.get_secret_value().encode()) < MIN_SECRET:
            problems.append(
                f"TOKEN_SECRET: at least {MIN_SECRET} bytes are needed with AUTH_MODE=token"
                " (make one: python -c 'import secrets; print(secrets.token_urlsafe(48))');"
                " AUTH_MODE=open, for a laptop, needs none"
            )
        problems += self._connection_problems()
        problems += self._identity_problems()
        problems += self._helpdesk_problems()
        needed = {
            "openai": {"OPENAI_API_KEY": self.openai_api_key.get_secret_value(), "OPENAI_MODEL": self.openai_model},
            "azure_openai": {
                "AZURE_OPENAI_ENDPOINT": self.azure_openai_endpoint,
                "AZURE_OPENAI_DEPLOYMENT": self.azure_openai_deployment,
            },
        }.get(self.chat_provider, {})
        problems += [f"{name}: needed with CHAT_PROVIDER={self.chat_provider}" for name, v in needed.items() if not v]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _connection_problems(self) -> list[str]:
        """Here, as what they open is made only when a ticket or a document is there for it."""
        problems: list[str] = []
        for name, (service, check) in CHECKS.items():
            if text := getattr(self, name).get_secret_value():
                try:
                    check(text)
                except ValueError as wrong:
                    problems.append(f"{name.upper()}: this is no connection string of {service}: {wrong}")
        return problems

    def _identity_problems(self) -> list[str]:
        if not (text := self.identity_keys.get_secret_value()):
            return []
        # Cryptography is imported by those who need it.
        from shared.security.identity import read_keys

        try:
            keys = read_keys(text)
        except ConfigurationError as wrong:
            return [str(wrong)]
        problems: list[str] = []
        if self.token_secret.get_secret_value().encode() in [key.key for key in keys.values()]:
            problems.append("IDENTITY_KEYS: TOKEN_SECRET is among them; the site needs a key of its own")
        if self.identity_audience in ("session", "operator"):
            problems.append("IDENTITY_AUDIENCE: `session` and `operator` are the audiences of the app's own tokens")
        return problems

    def _helpdesk_problems(self) -> list[str]:
        from shared.security.signatures import read_key

        problems: list[str] = []
        if self.public_url and not _is_address(self.public_url):
            problems.append("PUBLIC_URL: must be an address like https://support.example.com")
        if self.webhook_url and not _is_address(self.webhook_url, encrypted=True):
            problems.append("WEBHOOK_URL: must be an address like https://example.com/path, or http on this machine")
        if secret := self.webhook_secret.get_secret_value():
            try:
                read_key(secret)
            except ValueError as wrong:
                problems.append(f"WEBHOOK_SECRET: {wrong} (make one: {NEW_WEBHOOK_KEY})")
        elif self.webhook_url and self.webhook_format == "cloudevents":
            problems.append(f"WEBHOOK_SECRET: needed with WEBHOOK_URL (make one: {NEW_WEBHOOK_KEY})")
        if self.webhook_url and self.webhook_format != "cloudevents" and not self.webhook_authorization:
            problems.append(f"WEBHOOK_AUTHORIZATION: needed with WEBHOOK_FORMAT={self.webhook_format}")
        authorization = self.webhook_authorization.get_secret_value()
        if not (authorization.isascii() and authorization.isprintable()):
            problems.append("WEBHOOK_AUTHORIZATION: holds a line break or another character that no header may have")
        return problems


def _is_address(url: str, *, encrypted: bool = False) -> bool:
    """Whether it is an absolute URL without credentials; `encrypted` unless it stays on this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or parts.fragment or " " in url or not url.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (not encrypted or host in LOCALHOST))


def load_settings() -> Settings:
    """Settings from the environment. Raises `ConfigurationError` naming each wrong or missing variable.

    An empty variable is none. Capitals do not matter: some are given theirs by Azure.
    """
    variables = {name.lower(): value for name, value in os.environ.items() if value}
    try:
        return Settings.model_validate(variables)
    except ValidationError as error:
        lines: list[str] = []
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else ""
            text = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text}" if name else text)
        raise ConfigurationError("Wrong settings: " + "; ".join(lines)) from None
