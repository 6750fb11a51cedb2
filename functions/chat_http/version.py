"""The version that the app tells; the same as in pyproject.toml, which is not deployed."""

VERSION = "0.1.0"
