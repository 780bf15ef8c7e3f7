"""What to say when a command needs the server's part of the package and it is not installed."""

from kho_client.errors import LocalProblem, Text, local_problem

HOW_TO_INSTALL = "pip install 'kho[server]'  (with its own PostgreSQL: pip install 'kho[server,embedded]')"


def server_is_missing(error: ImportError) -> LocalProblem:
    """Return the error for a machine that has the client only; what is installed and broken is raised as it is."""
    if not isinstance(error, ModuleNotFoundError):
        raise error
    text = Text(
        f"Máy này chưa cài phần máy chủ của Kho. Hãy chạy: {HOW_TO_INSTALL}",
        f"The server part of Kho is not installed here. Run: {HOW_TO_INSTALL}",
    )
    return local_problem("SERVER_NOT_INSTALLED", text, module=error.name or "")
