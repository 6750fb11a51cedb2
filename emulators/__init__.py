"""Managed services of Azure over the wire, small: for tests, for a laptop and for the rehearsal of a deployment."""
