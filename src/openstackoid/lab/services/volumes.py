"""A volume driver that keeps no data: volumes, snapshots and attachments are rows of cinder's database alone, as servers are of nova's."""

from typing import Any

from cinder.volume import driver

_GIGABYTES = 1000


class LabDriver(driver.VolumeDriver):  # type: ignore[misc]
    """Does nothing, and has room for everything."""

    VERSION = "1"

    def check_for_setup_error(self) -> None:
        """Need nothing."""

    def create_volume(self, volume: Any) -> None:
        """Make one."""

    def delete_volume(self, volume: Any) -> None:
        """Delete one."""

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Make one larger."""

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """Copy one."""

    def create_snapshot(self, snapshot: Any) -> None:
        """Make a snapshot."""

    def delete_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot."""

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """Make a volume of a snapshot."""

    def copy_image_to_volume(self, *_arguments: Any, **_more: Any) -> None:
        """Make a volume of an image."""

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Export nothing."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Export nothing."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Export nothing."""

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:  # noqa: ARG002 - cinder's
        """Say how nova's fake hypervisor reaches it, which never does."""
        return {"driver_volume_type": "fake", "data": {"volume_id": volume.id}}

    def terminate_connection(self, volume: Any, connector: Any, **more: Any) -> None:
        """End what nothing began."""

    def _update_volume_stats(self) -> None:
        pool = {
            "pool_name": "lab",
            "total_capacity_gb": _GIGABYTES,
            "free_capacity_gb": _GIGABYTES,
            "reserved_percentage": 0,
        }
        about = {"vendor_name": "openstackoid", "driver_version": self.VERSION, "storage_protocol": "fake"}
        self._stats = {"volume_backend_name": "lab", **about, "pools": [pool]}
