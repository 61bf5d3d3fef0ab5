"""`python -m grave_cli.tracking.served`: the command `mlflow`, which ends with its parent.

The parent holds the other end of stdin. The system closes it when the parent ends, however it ends.
"""

import sys

from grave_cli.processes import end_with_parent
from grave_cli.tracking.store import silence_mlflow


def main() -> None:
    """Run `mlflow` with the arguments of this process."""
    end_with_parent(sys.stdin.fileno())
    silence_mlflow()
    from mlflow.cli import cli

    cli()


if __name__ == "__main__":
    main()
