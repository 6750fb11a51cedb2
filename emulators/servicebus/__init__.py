"""A small Service Bus (queues over AMQP 1.0) that the unmodified `azure-servicebus` SDK talks to. See README.md.

`broker` keeps the messages; `amqp` and `message` read and write the protocol's bytes, `connection` and `links` speak
it, `management` answers requests; `server` listens, `faults` makes it fail on request.
"""
