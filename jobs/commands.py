"""The same by a command: what a page does, to be copied into a terminal or a script."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

FILE = "job.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`$TOKEN` stands for a token of the user's: no page writes one down."""

    program: str
    text: str


def submitting(lab: str, user: str) -> list[Command]:
    """Submit a file to the lab at this address, which ends with a slash."""
    place = urlsplit(lab)
    return [
        Command(
            program="curl",
            text=f'curl -H "Authorization: Token $TOKEN" -F definition=@{FILE} {lab}api/v0.2/jobs/',
        ),
        Command(
            program="lavacli",
            text=f'lavacli --uri "{place.scheme}://{user}:$TOKEN@{place.netloc}/RPC2" jobs submit {FILE}',
        ),
        Command(
            program="lava-lite",
            text=f'LAVA_LITE_SERVER={lab.rstrip("/")} LAVA_LITE_TOKEN="$TOKEN" lava-lite job submit {FILE}',
        ),
    ]


def running_again(lab: str, user: str, definition: str) -> list[Command]:
    """Fetch a definition, whose address this is, and submit it."""
    fetch = f'curl -s -H "Authorization: Token $TOKEN" -o {FILE} {definition}'
    return [
        Command(program=command.program, text=f"{fetch}\n{command.text}") for command in submitting(lab, user)
    ]
