"""Creates a server in every cloud, by names that each cloud looks up; in all of them or in none: python boot_everywhere.py NAME IMAGE FLAVOR NETWORK."""

import sys

import oaktree
from oaktree.v1.common_pb2 import CreateOptions, Stage
from oaktree.v1.compute_pb2 import CreateServerRequest, Server, ServerSetup

name, image, flavor, network = sys.argv[1:]
request = CreateServerRequest(
    server=Server(name=name),
    setup=ServerSetup(image=image, flavor=flavor, networks=[network]),
    options=CreateOptions(wait=True, undo_on_failure=True),
)
with oaktree.connect() as tree:
    for answer in tree.compute.CreateServer(request):
        print(answer.progress.location.cloud, Stage.Name(answer.progress.stage), answer.progress.error.message)
