"""Boots a server in every cloud and goes away; awaits the operation with a new connection: python boot_and_await.py NAME IMAGE FLAVOR."""

import sys

import oaktree
from oaktree.v1 import common_pb2, compute_pb2, operation_pb2

with oaktree.connect() as tree:
    name, image, flavor = sys.argv[1:]
    what = compute_pb2.ServerSetup(image=image, flavor=flavor)
    options = common_pb2.CreateOptions(wait=True, detach=True)
    request = compute_pb2.CreateServerRequest(server=compute_pb2.Server(name=name), setup=what, options=options)
    operation = next(iter(tree.compute.CreateServer(request))).progress.operation_id
with oaktree.connect() as tree:
    for answer in oaktree.watch(tree.operations.WatchOperation, operation_pb2.WatchOperationRequest(id=operation)):
        print(answer.operation.done, [(part.location.cloud, part.status) for part in answer.operation.parts])
