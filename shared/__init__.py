"""The support agent itself: everything a trigger calls, and nothing that knows a trigger."""
