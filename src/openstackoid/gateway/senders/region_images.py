"""Images of a virtual region by their data, members and tags: glance's answer at such a path does not say whose the image is, so it is asked before."""

from typing import Final

import aiohttp
from yarl import URL

from openstackoid.core import limits, protocol
from openstackoid.core.errors import BackendTimeoutError, BackendUnreachableError, NotInRegionError
from openstackoid.core.region_resources import Resources
from openstackoid.gateway.federation.memory import MIB, Memory
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason

_MAX_BYTES: Final = MIB  # of known pairs
_PAIR: Final = 256  # bytes
_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_OK: Final = 200


class RegionImages:
    """Which images belong to which projects, as far as somebody asked.

    Args:
        base: base URL of this cloud's image service; None if it has none.
        session: connections.
    """

    def __init__(self, base: str | None, session: aiohttp.ClientSession) -> None:
        self._base = base
        self._session = session
        # (Project, image): the owner of an image does not change unless an admin changes it.
        self._owned: Memory[tuple[str, str], bool] = Memory(_MAX_BYTES, lambda _: _PAIR)

    async def check(self, resources: Resources, service: str, path: str, token: str) -> None:
        """Check the image of a path behind the image itself, such as its data.

        Args:
            resources: of the region, for a project.
            service: official service type.
            path: inside the service, with local ids.
            token: of the user, as our services get it.

        Raises:
            NotInRegionError: the image is neither in the region nor the project's own.
            PeerError: glance does not answer.
        """
        image = resources.image_to_check(service, path)
        if image is None or self._base is None or self._owned.get((resources.project, image)):
            return
        try:
            async with self._session.get(
                URL(f"{self._base}/v2/images/{image}", encoded=True),
                headers={protocol.AUTH: token},
                timeout=_LIMIT,
                allow_redirects=False,
            ) as answer:
                document = parsed(await whole(answer.content, limits.ANSWER) or b"{}", limits.ANSWER)
        except TimeoutError:
            raise BackendTimeoutError("This cloud's image service did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise BackendUnreachableError(f"This cloud's image service cannot be reached: {reason(error)}.") from None
        except ValueError:
            document = {}
        if answer.status != _OK or not isinstance(document, dict) or not resources.owns_image(document):
            raise NotInRegionError(f"No image {image[:64]} in this region.")
        self._owned.keep((resources.project, image), value=True)
