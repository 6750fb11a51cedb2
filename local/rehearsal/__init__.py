"""The app on all its Azure adapters, rehearsed on this machine: `python -m local.rehearsal`.

`azure` starts the servers and the app, each in a process of its own; `helpdesk` is a consumer that knows nothing but
Service Bus; `story` is played first; then `chaos` kills everything in turn under load; `report` is what is counted.
"""
