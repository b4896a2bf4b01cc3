"""Nova's own fake hypervisor, with the two things that a real one does and it does not.

It downloads the image when it builds a server, with the user's own request as libvirt's driver does (so it can be seen
where the image comes from), and its guests outlive a restart of nova-compute.
"""

import tempfile
from pathlib import Path
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.image import glance
from nova.virt import fake


class LabDriver(fake.FakeDriverWithoutFakeNodes):  # type: ignore[misc]
    """Builds nothing, but fetches the image."""

    def init_host(self, host: str) -> None:
        """Find the guests of an earlier run again."""
        super().init_host(host)
        admin = nova_context.get_admin_context()
        for instance in objects.InstanceList.get_by_host(admin, host, expected_attrs=["flavor", "info_cache"]):
            guest = fake.FakeInstance(instance.name, instance.power_state or 0, instance.uuid)
            self.instances[instance.uuid] = guest
            size = instance.flavor
            self.resources.claim(vcpus=size.vcpus, mem=size.memory_mb, disk=size.root_gb)
            if instance.info_cache:
                self._interfaces.update({vif["id"]: vif for vif in instance.info_cache.network_info or ()})

    def spawn(self, context: Any, instance: Any, image_meta: Any, *args: Any, **kwargs: Any) -> None:
        """Download the image as nova.virt.images.fetch does, then pretend to boot it."""
        if image_meta.obj_attr_is_set("id") and image_meta.id:
            with tempfile.TemporaryDirectory(prefix="image-") as folder:
                glance.API().download(context, image_meta.id, dest_path=str(Path(folder, "image")))
        super().spawn(context, instance, image_meta, *args, **kwargs)
