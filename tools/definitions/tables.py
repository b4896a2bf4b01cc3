"""What openstacksdk's classes do not say, and what we choose: which kinds have messages, their names, types of attributes without one.

A type here is a promise to users: the field keeps it for good (see registry.py).
"""

from dataclasses import dataclass
from typing import Final

STRUCT: Final = "google.protobuf.Struct"
VALUE: Final = "google.protobuf.Value"
LIST: Final = "google.protobuf.ListValue"
STRINGS: Final = "repeated string"
STRUCTS: Final = f"repeated {STRUCT}"

# (service, class): the last part of its kind, where the class's own name says too little.
KIND_NAMES: Final = {
    ("block_storage", "QuotaSet"): "quota",
    ("block_storage", "Type"): "volume_type",
    ("compute", "QuotaSet"): "quota",
    ("shared_file_system", "QuotaSet"): "quota",
}

# (kind, verb): the class allows what its API does not have.
UNDOABLE: Final = {
    ("block_storage.quota", "create"),  # Every project has quotas: they are changed.
    ("block_storage.v2.quota", "create"),
    ("compute.quota", "create"),
}


# Attributes that get no field: another one has the same name in the API.
LEFT_OUT: Final = {
    "compute.server.has_config_drive",  # `config_drive`; in C++ this is what asks whether that is set.
}


@dataclass(frozen=True, slots=True)
class Typed:
    """A kind that has a message.

    Attributes:
        kind: "service.kind".
        message: its name.
        words: what one of them is called in sentences.
        sentence: what it is.
        own_id: it has an id; otherwise its parent says which it is.
    """

    kind: str
    message: str
    words: str
    sentence: str
    own_id: bool = True

    @property
    def service(self) -> str:
        """The first part of its kind."""
        return self.kind.partition(".")[0]

    @property
    def one(self) -> str:
        """One of them: "a server", "an image"."""
        return f"{'an' if self.words[0] in 'aeio' else 'a'} {self.words}"


TYPED: Final = (
    Typed("compute.server", "Server", "server", "A virtual machine, or a machine of metal, that compute runs."),
    Typed("compute.flavor", "Flavor", "flavor", "A size of servers: how much processor, memory and disk."),
    Typed("compute.keypair", "Keypair", "key pair", "A key for logging in to servers. Its name is its id."),
    Typed("compute.server_group", "ServerGroup", "server group", "Servers that are placed together, or apart."),
    Typed(
        "compute.availability_zone",
        "ComputeAvailabilityZone",
        "availability zone",
        "A part of a region that fails on its own, as compute sees it.",
    ),
    Typed(
        "compute.quota", "ComputeQuota", "quota", "How much of compute a project may use; -1 is no limit.", own_id=False
    ),
    Typed("image.image", "Image", "image", "A disk's contents, that servers and volumes start from."),
    Typed("network.network", "Network", "network", "A network of layer 2."),
    Typed("network.subnet", "Subnet", "subnet", "Addresses that a network's ports get theirs from."),
    Typed("network.port", "Port", "port", "Where something is plugged into a network."),
    Typed("network.router", "Router", "router", "Joins networks, among themselves and with the outside."),
    Typed("network.floating_ip", "FloatingIp", "floating IP", "A public address that can be moved from port to port."),
    Typed(
        "network.security_group", "SecurityGroup", "security group", "Rules of what may come to ports and leave them."
    ),
    Typed("network.security_group_rule", "SecurityGroupRule", "rule", "One thing that a security group allows."),
    Typed(
        "network.availability_zone",
        "NetworkAvailabilityZone",
        "availability zone",
        "A part of a region that fails on its own, as the network sees it.",
    ),
    Typed(
        "network.quota",
        "NetworkQuota",
        "quota",
        "How much of the network a project may use; -1 is no limit. Its id is the project's.",
    ),
    Typed("block_storage.volume", "Volume", "volume", "A disk that outlives the servers it is attached to."),
    Typed("block_storage.snapshot", "Snapshot", "snapshot", "What a volume held at one moment."),
    Typed("block_storage.volume_type", "VolumeType", "volume type", "A kind of volumes: where and how they are kept."),
    Typed(
        "block_storage.quota",
        "BlockStorageQuota",
        "quota",
        "How much of block storage a project may use; -1 is no limit.",
        own_id=False,
    ),
    Typed("identity.project", "Project", "project", "Owns resources; users have roles in it."),
    Typed("identity.user", "User", "user", "Somebody, or a program, who logs in."),
    Typed("identity.role", "Role", "role", "A right with a name, that users have in projects and domains."),
    Typed("identity.domain", "Domain", "domain", "Owns projects and users."),
    Typed("orchestration.stack", "Stack", "stack", "Resources that were created together, from a template."),
    Typed("dns.zone", "DnsZone", "zone", "A part of the domain name system. Not an availability zone."),
    Typed("dns.recordset", "Recordset", "record set", "All records of one name and type in a zone."),
    Typed(
        "load_balancer.load_balancer",
        "LoadBalancer",
        "load balancer",
        "Spreads what comes to one address over several servers.",
    ),
)

# Each service with messages: what its section is about.
SERVICES: Final = {
    "compute": "Servers and what they need",
    "image": "Images of disks",
    "network": "Networks, addresses, and what may pass",
    "block_storage": "Volumes",
    "identity": "Who may use a cloud",
    "orchestration": "Stacks",
    "dns": "Names",
    "load_balancer": "Load balancers",
}

# Types of attributes that declare none, or a list without its elements' type: by attribute, then by "kind.attribute". Others are text.
TYPES: Final = {
    "links": STRUCTS,
    "tags": STRINGS,
    "if_match": STRINGS,
    "availability_zones": STRINGS,
    "availability_zone_hints": STRINGS,
    "consumes_quota": "bool",
    # compute
    "compute.availability_zone.hosts": STRUCT,
    "compute.availability_zone.state": STRUCT,
    "compute.server.block_device_mapping": STRUCTS,
    "compute.server.fault": STRUCT,
    "compute.server.max_count": "int64",
    "compute.server.min_count": "int64",
    "compute.server.networks": VALUE,  # A list of objects, or "auto", or "none".
    "compute.server.personality": STRUCTS,
    "compute.server.power_state": "int64",
    "compute.server.server_groups": STRINGS,
    "compute.server.trusted_image_certificates": STRINGS,
    "compute.server_group.member_ids": STRINGS,
    "compute.server_group.metadata": STRUCT,
    "compute.server_group.policies": STRINGS,
    # image
    "image.image.locations": STRUCTS,
    "image.image.min_disk": "int64",
    "image.image.min_ram": "int64",
    "image.image.properties": STRUCT,
    "image.image.virtual_size": "int64",
    # network
    "network.network.provider_segmentation_id": "int64",
    "network.network.segments": STRUCTS,
    "network.network.subnet_ids": STRINGS,
    "network.port.allowed_address_pairs": STRUCTS,
    "network.port.dns_assignment": STRUCTS,
    "network.port.extra_dhcp_opts": STRUCTS,
    "network.port.fixed_ips": STRUCTS,
    "network.port.security_group_ids": STRINGS,
    "network.router.routes": STRUCTS,
    "network.security_group.security_group_rules": STRUCTS,
    "network.security_group.stateful": "bool",
    "network.subnet.allocation_pools": STRUCTS,
    "network.subnet.dns_nameservers": STRINGS,
    "network.subnet.host_routes": STRUCTS,
    "network.subnet.prefix_length": "int64",
    "network.subnet.service_types": STRINGS,
    # block storage
    "block_storage.volume.attachments": STRUCTS,
    "block_storage.volume.volume_image_metadata": STRUCT,
    # identity: {"self": "..."}
    "identity.domain.links": STRUCT,
    "identity.project.links": STRUCT,
    "identity.role.links": STRUCT,
    "identity.user.federated": STRUCTS,
    "identity.user.links": STRUCT,
    # orchestration
    "orchestration.stack.added": STRUCTS,
    "orchestration.stack.capabilities": STRINGS,
    "orchestration.stack.deleted": STRUCTS,
    "orchestration.stack.environment": STRUCT,
    "orchestration.stack.environment_files": STRINGS,
    "orchestration.stack.notification_topics": STRINGS,
    "orchestration.stack.outputs": STRUCTS,
    "orchestration.stack.replaced": STRUCTS,
    "orchestration.stack.timeout_mins": "int64",
    "orchestration.stack.unchanged": STRUCTS,
    "orchestration.stack.updated": STRUCTS,
    # dns
    "dns.recordset.links": STRUCT,
    "dns.recordset.records": STRINGS,
    "dns.zone.is_shared": "bool",
    "dns.zone.links": STRUCT,
    "dns.zone.masters": STRINGS,
    # load balancer
    "load_balancer.load_balancer.additional_vips": STRUCTS,
    "load_balancer.load_balancer.listeners": STRUCTS,
    "load_balancer.load_balancer.pools": STRUCTS,
    "load_balancer.load_balancer.vip_sg_ids": STRINGS,
}

# Fields that hold secrets, which nobody may log.
SECRETS: Final = {"admin_password", "password", "private_key"}
