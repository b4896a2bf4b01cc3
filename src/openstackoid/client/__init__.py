"""What a user of a cloud runs: the plugin of the `openstack` client, and the helper for openstacksdk.

    from openstackoid.client import scoped

    with scoped(connection, {"image": "CloudTwo"}) as there:
        print([image.name for image in there.image.images()])

Importing this costs next to nothing: the stock client does so at every start. What is heavy is imported where it is used.
"""

from openstackoid.client.connection import attach, scoped
from openstackoid.client.several import several

__all__ = ["attach", "scoped", "several"]
