"""What the service answers when it refuses."""

from __future__ import annotations


class CosmosError(Exception):
    """`status` and `substatus` are those of the REST API, `code` is the word that goes with the status."""

    def __init__(self, status: int, code: str, message: str, substatus: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.substatus = substatus


def bad_request(message: str, substatus: int | None = None) -> CosmosError:
    return CosmosError(400, "BadRequest", message, substatus)


def not_found() -> CosmosError:
    return CosmosError(404, "NotFound", "Entity with the specified id does not exist in the system.")


def conflict() -> CosmosError:
    return CosmosError(409, "Conflict", "Entity with the specified id already exists in the system.")


def precondition_failed() -> CosmosError:
    return CosmosError(412, "PreconditionFailed", "One of the specified pre-condition is not met.")


def too_large() -> CosmosError:
    return CosmosError(413, "RequestEntityTooLarge", "Request size is too large.")
