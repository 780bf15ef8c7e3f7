"""Which engine and which rules made a verdict."""

import hashlib
from datetime import datetime

from kho_server.verification.policy import ValidationPolicy, policy_at

ENGINE_VERSION = "2"
# Raise it with every change that can change an answer: it is part of the policy version.
RULES_VERSION = "2026-11-21.2"


def policy_version(trust_version: str, at: datetime, policy: ValidationPolicy | None = None) -> str:
    """Name rules and trust material together: equal names, equal answers for equal bytes and time.

    It begins with the version of the policy in force at `at`, then the SHA-256 of engine rules, policy and trust.
    """
    policy = policy or policy_at(at)
    named = f"{RULES_VERSION}\n{policy.version}\n{trust_version}"
    return f"{policy.version}:{hashlib.sha256(named.encode()).hexdigest()}"
