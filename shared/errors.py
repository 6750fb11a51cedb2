"""Every error this product raises on purpose.

Services raise these; only the HTTP edge turns them into status codes, only the queue edge into dead letters::

    SupportAgentError
    ├── ConfigurationError          a setting is missing or wrong; the app must not start
    │   └── IndexModelMismatch      the index was filled by another embedding model
    ├── InvalidInput                the caller sent something that can never work       400
    │   ├── PayloadTooLarge         … because it is too big                             413
    │   └── UnsupportedFile         … because of its kind                               415
    ├── Unauthenticated             no token, or one that is forged or expired          401
    ├── Forbidden                   a good token, for something else                    403
    ├── NotFound                    no such conversation, message or document           404
    ├── NoPushChannel               nothing is pushed here: clients poll                404
    ├── Conflict                    not possible in the present state                   409
    │   ├── TicketOpen              somebody was faster to ask for a person: theirs is joined
    │   └── TurnInProgress          another turn of this conversation is being answered 409, Retry-After
    ├── RateLimited                 too many requests from this client                  429, Retry-After
    ├── DocumentRejected            a document that cannot be read; says why to its editor
    ├── Overloaded                  more is asked than this process can answer          503, Retry-After
    └── Unavailable                 a store or a queue does not answer                  503, Retry-After

The message of each is written for the person who can act on it, and is safe to show: it holds no secret, no stack
trace and no other customer's text.
"""

from __future__ import annotations


class SupportAgentError(Exception):
    """Base of the tree. `str(error)` says what happened and what to do about it."""


class ConfigurationError(SupportAgentError):
    """A setting is missing or wrong. Raised while starting, names the variable."""


class IndexModelMismatch(ConfigurationError):
    """The index holds vectors of another embedding model; names both models and the command that rebuilds it."""


class InvalidInput(SupportAgentError):
    """The request can never succeed as sent."""


class PayloadTooLarge(InvalidInput):
    """A message, file or body is over its limit; names the limit."""


class UnsupportedFile(InvalidInput):
    """A file is of a kind that is not accepted; names the kinds that are."""


class Unauthenticated(SupportAgentError):
    """No credentials, or credentials that do not hold."""


class Forbidden(SupportAgentError):
    """Valid credentials which do not cover the thing asked for."""


class NotFound(SupportAgentError):
    """No such conversation, message, ticket or document."""


class NoPushChannel(SupportAgentError):
    """No push channel is configured, which is no fault: all that would be pushed can be asked for."""


class Conflict(SupportAgentError):
    """The request is fine, the present state does not allow it."""


class TicketOpen(Conflict):
    """The conversation got a ticket that its writer did not know of: `ticket_id`. To be joined, not doubled."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"A colleague has been asked already; the reference is {ticket_id}.")
        self.ticket_id = ticket_id


class RetryLater(SupportAgentError):
    """Mixin of the errors that pass by themselves: `retry_after` is in whole seconds, at least 1."""

    def __init__(self, message: str, *, retry_after: float = 1) -> None:
        super().__init__(message)
        self.retry_after = max(1, round(retry_after))


class TurnInProgress(RetryLater, Conflict):
    """Another turn of the same conversation holds the lease."""


class RateLimited(RetryLater):
    """This client used up its allowance for the current window."""


class DocumentRejected(SupportAgentError):
    """A document could not be turned into text. `status` is a `DocumentStatus` value, the message the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Overloaded(RetryLater):
    """More turns than this process can answer: whoever sent this one did nothing wrong, and nothing was stored."""


class Unavailable(RetryLater):
    """A store, queue or model that the request needs does not answer."""
