"""The `kho` command."""

import os

# gRPC's core writes its own remarks on failed handshakes to standard error, before anybody asks; it reads this
# variable when it is first imported. Our errors say the same in words.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
