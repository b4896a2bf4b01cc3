"""Text of other clouds, of a kind that runs in a page that does not escape it."""

from typing import Final

HOSTILE: Final = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
