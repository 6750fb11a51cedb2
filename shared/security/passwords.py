"""Passwords of operators, kept as argon2id hashes (RFC 9106 §4, the low-memory profile: 64 MiB, 3 passes, 4 lanes)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

MIN_PASSWORD = 12
MAX_PASSWORD = 256
"""Characters. The upper limit bounds the work of one login; it is far above any passphrase."""

DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$SbntOqhQNlNZ/BbzL/k3Vg$DXyAuDDTdz7JudhfNsA0Tr0zJGAd8MIRFg6Wi3IoN6s"
"""Of a random password that nobody kept: checked for unknown users, so that they take as long as known ones."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(password: str) -> str:
    """An argon2id string with its own salt and parameters. Takes about 0.1 s: run it in a thread."""
    return _hasher.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password made this hash. Takes as long as making it: run it in a thread."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
