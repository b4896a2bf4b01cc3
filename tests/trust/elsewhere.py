"""A process that works on the same database as a test: for `test_store.py`.

python -m tests.trust.elsewhere URL upgrade          once a line comes; says the revision then
python -m tests.trust.elsewhere URL suspend          the agreement with CloudTwo
python -m tests.trust.elsewhere URL hang EVENT       writes such a change, says so, and hangs before it is committed
"""

import sys
import time

from sqlalchemy import Connection, event

from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

PEER = "CloudTwo"
WRITTEN = "all is written, nothing committed\n"


def hang(store: Store, what: str) -> None:
    @event.listens_for(store._database.engine, "commit")
    def wait(_: Connection) -> None:
        print(WRITTEN, end="", flush=True)
        time.sleep(600)

    match what:
        case "repin":
            store.repin(PEER, "c" * 43, "eve")
        case "remember":
            store.remember_keys(PEER, {"keys": {}})
        case _:
            store.change(PEER, what, "eve", Grant(services=("compute",)))


if __name__ == "__main__":
    store = Store(sys.argv[1])
    match sys.argv[2:]:
        case ["upgrade"]:
            sys.stdin.readline()
            store.upgrade()
            print(store.revision())
        case ["suspend"]:
            store.change(PEER, "suspend", "omar")
        case ["hang", what]:
            hang(store, what)
