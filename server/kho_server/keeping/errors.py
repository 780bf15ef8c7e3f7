"""What can go wrong when a store is copied, put back, looked through or rebuilt."""


class KeepingFailed(ValueError):
    """It could not be done; the message says why and what to do."""
