"""A small Cosmos DB (NoSQL API, gateway mode) that the unmodified `azure-cosmos` SDK talks to. See README.md.

`storage` keeps the items, `query` reads the SQL, `server` speaks HTTP, `faults` makes it fail on request.
"""
