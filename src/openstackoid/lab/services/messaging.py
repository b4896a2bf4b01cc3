"""Messages within a process, delivered at once.

oslo.messaging's driver for ``fake://`` looks for messages every 50 ms (oslo_messaging/_drivers/impl_fake.py, ``FakeListener.poll``): each message
waits, and a cloud that has nothing to do uses a processor's time all the same. Here a listener sleeps until a message comes.
oslo.messaging has no option for it, so its methods are replaced.
"""

import threading
import time
from typing import Any

from oslo_messaging._drivers import base, impl_fake

_changed = threading.Condition()


def deliver_at_once() -> None:
    """Have listeners sleep until there is a message, or they are stopped."""
    deliver, stop = impl_fake.FakeExchange.deliver_message, impl_fake.FakeListener.stop

    def deliver_and_wake(self: Any, *args: Any, **kwargs: Any) -> None:
        deliver(self, *args, **kwargs)
        with _changed:
            _changed.notify_all()

    def stop_and_wake(self: Any) -> None:
        stop(self)
        with _changed:
            _changed.notify_all()

    impl_fake.FakeExchange.deliver_message = deliver_and_wake
    impl_fake.FakeListener.stop = stop_and_wake
    impl_fake.FakeListener.poll = base.batch_poll_helper(_poll)


def _poll(self: Any, timeout: float | None = None) -> Any:
    """Give the next message, as `FakeListener.poll` does; None when it is stopped or the time is over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    with _changed:
        while not self._stopped.is_set():
            if (message := _next(self)) is not None:
                return message
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            _changed.wait(left)
    return None


def _next(listener: Any) -> Any:
    for target in listener._targets:  # noqa: SLF001
        exchange = listener._exchange_manager.get_exchange(target.exchange)  # noqa: SLF001
        context, message, replies, requeue = exchange.poll(target, listener._pool)  # noqa: SLF001
        if message is not None:
            return impl_fake.FakeIncomingMessage(context, message, replies, requeue)
    return None
