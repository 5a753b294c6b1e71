"""`Ready`: whole messages that were parsed ahead of those who ask for them."""

from __future__ import annotations

__all__ = ["Ready"]


class Ready(list[str | bytes]):
    """The next message is the last: any thread takes it by `pop`, one at a time, and puts it back
    if it is `late`. Not a deque, which takes 0.7 KiB for being empty."""

    __slots__ = ("late",)

    def __init__(self) -> None:
        super().__init__()
        self.late = False  # a latch: nobody shall receive anything any more

    def take_all(self) -> list[str | bytes]:
        """All of them, in the order in which they have come."""
        messages: list[str | bytes] = []
        try:
            while True:  # the last one first: another thread may be taking the next one
                messages.append(self.pop(0))
        except IndexError:
            messages.reverse()
            return messages
