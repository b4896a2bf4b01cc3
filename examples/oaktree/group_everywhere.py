"""A network and four servers on it in every cloud, as one request; all of it is deleted again if anything fails in any cloud."""

import oaktree
from oaktree.v1 import common_pb2, group_pb2, resource_pb2

net = group_pb2.Member(name="net", resource=resource_pb2.Resource(kind="network.network"))
web = group_pb2.Member(name="web", resource=resource_pb2.Resource(kind="compute.server"), count=4)
net.resource.attributes.update({"name": "mine"})
web.resource.attributes.update({"name": "web-${index}", "image": "cirros", "flavor": "small", "network": "${net.id}"})
options = common_pb2.CreateOptions(undo_on_failure=True)
with oaktree.connect() as tree:
    for answer in tree.groups.BuildGroup(group_pb2.BuildGroupRequest(members=[net, web], options=options)):
        for result in answer.summary.results:
            print(result.location.cloud, result.items, result.error.message)
