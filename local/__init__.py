"""The laptop's Azure: hosts `function_app.py` on the genuine Functions runtime and fires its triggers.

`python -m local` starts it, `python -m local.demo` tells the story of one conversation on it. Nothing in `functions/`
or `shared/` knows of it.
"""
