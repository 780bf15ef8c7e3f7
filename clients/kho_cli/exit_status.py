"""Exit statuses of `kho`, and which error means which."""

from kho_client.errors import KhoError, LocalProblem, ServerUnreachable

DONE = 0
REFUSED = 1
WRONG_USAGE = 2
NO_SERVER = 3
INTERRUPTED = 130
"""As shells report a command that was stopped by Ctrl-C."""
PIPE_CLOSED = 141
"""As shells report a command whose reader went away."""


def exit_status_of(error: KhoError) -> int:
    """Return 2 for what is wrong on this machine, 3 when nobody answers, 1 for every refusal."""
    if isinstance(error, LocalProblem):
        return WRONG_USAGE
    return NO_SERVER if isinstance(error, ServerUnreachable) else REFUSED
