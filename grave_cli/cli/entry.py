"""The entry of `gravecli`: Ctrl-C ends it quietly even while its first libraries are imported."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from grave_cli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
