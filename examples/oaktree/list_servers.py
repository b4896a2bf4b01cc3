"""Lists every server of every cloud: python list_servers.py HOST:PORT [AUTHORITY.pem].

Without the authority's file there is no TLS, for a server on this machine. OAKTREE_TOKEN may hold "CLOUD TOKEN".
"""

import os
import sys
from pathlib import Path

from oaktree.client import Token, connect
from oaktree.v1.compute_pb2 import ListServersRequest


def main(target: str, authority: str = "") -> None:
    """List them, each cloud's as soon as it has answered."""
    token = os.environ.get("OAKTREE_TOKEN")
    credentials = [Token(*token.split(" ", 1))] if token else []
    ca = Path(authority) if authority else None
    with connect(target, credentials=credentials, authority=ca, plain=ca is None) as oaktree:
        # No location: everywhere.
        for answer in oaktree.compute.ListServers(ListServersRequest()):
            for server in answer.servers:
                print(server.location.cloud, server.name, server.status)
            for result in answer.summary.results:
                if result.HasField("error"):
                    print(f"{result.location.cloud}: {result.error.message}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
