"""The limit of open files: each memory-mapped array holds one."""

from grave_cli.errors import DatasetError

_OTHERS = 512  # databases, libraries, pipes to workers


def allow_open_files(count: int) -> None:
    """Raise the limit of this process and of those that it starts, if it is too low.

    Linux allows 1,024 open files and macOS 256 unless a process asks for more. Windows has no such
    limit.

    Args:
        count: Number of files that stay open.

    Raises:
        DatasetError: The system does not allow as many.
    """
    try:
        import resource
    except ImportError:
        return
    wanted = count + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        raise DatasetError(
            "the system's limit of open files is too low for so many cemeteries",
            found=f"{hard if hard != resource.RLIM_INFINITY else soft:,}",
            expected=f"at least {wanted:,}",
            remedy=f"raise it with ulimit -n {wanted}, or use fewer cemeteries at a time",
        ) from None
