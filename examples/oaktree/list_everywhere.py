"""Lists every server of every cloud, through the oaktree of OAKTREE_TARGET or of this user; fails if a cloud did not answer."""

import oaktree

with oaktree.connect() as tree:
    for server in tree.everywhere.servers():
        print(server.location.cloud, server.name, server.status)
