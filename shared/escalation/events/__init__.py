"""What helpdesks receive: `event` says what it looks like, `handoff` gathers it from a conversation, `formats` turns it
into what a product takes, and `webhook` posts it."""
