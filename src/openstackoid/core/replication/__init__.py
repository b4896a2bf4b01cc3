"""Changes in several clouds: what can be replicated, how members are marked and found again, and what a request names by id. Pure.

kinds       the table: one row for each kind of resource that can be created in several clouds at once; what is refused, by name
references  ids and names in a request that stand for other resources, and their replacement for one cloud
copying     copies of an image: what crosses, and by what a copy is found again
comparing   whether members are alike, and what makes them so
actions     actions on a server that reach all members
marking     the mark of an operation in a request, and its search in a cloud's answers
"""

from openstackoid.core.replication.kinds import KINDS, Kind, Mark, Thing, kind_named, refusal, thing_at

__all__ = ["KINDS", "Kind", "Mark", "Thing", "kind_named", "refusal", "thing_at"]
