"""`python -m local`: the app on this machine. HOST and PORT say where it listens (127.0.0.1, 7071)."""

import signal
import sys

from shared import process


def main() -> int:
    process.set_up()
    # Until the event loop takes the signals over, both end the program the same way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from local.laptop import run

        return run()
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
