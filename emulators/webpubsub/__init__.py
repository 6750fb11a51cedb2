"""A small Web PubSub: the laptop's hub (`local/hub.py`) as a server of its own, to be killed and started again.

See README.md.
"""
