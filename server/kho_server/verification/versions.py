"""Which engine and which rules made a verdict."""

import hashlib

ENGINE_VERSION = "1"
# Raise it with every change that can change an answer: it is part of the policy version.
RULES_VERSION = "2026-11-21"


def policy_version(trust_version: str) -> str:
    """Name rules and trust material together: equal names, equal answers for equal bytes and time."""
    return hashlib.sha256(f"{RULES_VERSION}\n{trust_version}".encode()).hexdigest()
