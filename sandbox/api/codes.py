"""What the server of the API says when it cannot serve."""

from sandbox.core.errors import Unavailable, define

define(
    Unavailable,
    ADDRESS_TAKEN=(
        "无法监听 {address}（{why}）；请换一个 --port，或结束占用它的程序。",
        "Cannot listen on {address} ({why}); take another --port, or end the program that uses it.",
    ),
)
