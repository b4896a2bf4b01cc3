"""What attributes are, in our words: by attribute, for every kind that has it, or by "kind.attribute" where it is something else there.

Attributes that are not here are described by their names alone (see words.py).
"""

from typing import Final

from tools.definitions.sentences import computing, networking

# By attribute, for every kind of openstacksdk.
EVERYWHERE: Final = {
    "description": "What somebody wrote about it.",
    "id": "Its id in its cloud.",
    "links": "Where the API has it.",
    "name": "Its name.",
    "tags": "Its tags.",
    "tenant_id": "The same as `project_id`, by its old name.",
}

# Of kinds that have a message: elsewhere such a name may mean something else.
_COMMON: Final = {
    "access_ipv4": "The IPv4 address to reach it at, as its owner set it.",
    "access_ipv6": "The IPv6 address to reach it at, as its owner set it.",
    "action": "What is being done with it: CREATE, UPDATE, DELETE, or NONE.",
    "availability_zone": "The availability zone it is in.",
    "availability_zone_hints": "Names of availability zones that were asked for.",
    "availability_zones": "Names of the availability zones it is in.",
    "consumes_quota": "Whether it counts against the project's quota.",
    "created_at": "When it was created, in ISO 8601.",
    "deleted_at": "When it was deleted, in ISO 8601.",
    "dns_domain": "The domain that its DNS name is in.",
    "dns_name": "The name that DNS gives it.",
    "domain_id": "The id of the domain that owns it.",
    "extra_specs": "More of its properties, by name; the services that read them say what they mean.",
    "flavor_id": "The id of its flavor.",
    "if_match": "Revisions, as `revision_number=4`: a change is refused if it has another one by then. Only in requests.",
    "is_admin_state_up": "Whether its administrators have it switched on.",
    "is_public": "Whether every project can use it.",
    "is_shared": "Whether other projects may use it.",
    "kernel_id": "The id of the image of its kernel, where the kernel is apart.",
    "launched_at": "When it started for the first time, in ISO 8601.",
    "mac_address": "Its MAC address.",
    "metadata": "Pairs of names and values that its owner set.",
    "network_id": "The id of its network.",
    "options": "Options that its service understands, by name.",
    "power_state": "Whether it runs, as its hypervisor says it: 0 no state, 1 running, 3 paused, 4 shut down, 6 crashed, 7 suspended.",
    "progress": "How far it is, in percent.",
    "project_id": "The id of the project that owns it.",
    "protocol": "The protocol, by name or number.",
    "qos_policy_id": "The id of the policy for its quality of service.",
    "ramdisk_id": "The id of the image of its RAM disk, where that is apart.",
    "reservation": "How much of each is reserved, by name.",
    "revision_number": "Grows with each change of it.",
    "scheduler_hints": "What the scheduler should think of when it chooses a host. Only in requests.",
    "security_group_id": "The id of its security group.",
    "snapshot_id": "The id of the snapshot it was made from.",
    "ttl": "For how many seconds others may remember it.",
    "updated_at": "When it was changed last, in ISO 8601.",
    "usage": "How much of each is used, by name.",
    "user_id": "The id of the user who created it.",
    "volume_id": "The id of its volume.",
}

_IDENTITY: Final = {
    "identity.domain.is_enabled": "Whether it can be used; nobody of a disabled domain can log in.",
    "identity.project.is_domain": "Whether it acts as a domain.",
    "identity.project.is_enabled": "Whether it can be used; nobody can log in to a disabled project.",
    "identity.project.parent_id": "The id of the project above it; the domain's id if there is none.",
    "identity.role.domain_id": "The id of the domain that it is for; absent if it is for all.",
    "identity.user.default_project_id": "The id of the project they log in to if they name none.",
    "identity.user.domain_id": "The id of their domain.",
    "identity.user.email": "Their e-mail address.",
    "identity.user.federated": "Who they are where others vouch for them: identity providers and their protocols.",
    "identity.user.is_enabled": "Whether they can log in.",
    "identity.user.password": "Their password. Only in requests.",
    "identity.user.password_expires_at": "When their password ends, in ISO 8601.",
}

# By attribute or by "kind.attribute", for the kinds that have a message.
TYPED: Final = {
    **_COMMON,
    **computing.COMPUTE,
    **computing.IMAGE,
    **computing.BLOCK_STORAGE,
    **computing.ORCHESTRATION,
    **networking.NETWORK,
    **networking.DNS,
    **networking.LOAD_BALANCER,
    **_IDENTITY,
}
