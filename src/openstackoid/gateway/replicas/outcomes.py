"""Answers to changes in several clouds: one resource that names its replica, or an error that says what is where."""

from collections.abc import Sequence

from aiohttp import web

from openstackoid.core.errors import OpenStackoidError, ReplicaFailedError, ReplicaRefusedError
from openstackoid.core.partial import CLOUD, write_members, write_missing
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas.records import Part, Policy
from openstackoid.gateway.replicas.steps import Steps, is_passing, summary
from openstackoid.operations.stages import MADE, OPEN, Stage


def response(reply: Reply, part: Part, replica: str, parts: Sequence[Part]) -> web.Response:
    """The answer of one cloud, with the members beside it.

    Args:
        reply: of the cloud.
        part: of the same cloud.
        replica: id.
        parts: all of the operation.
    """
    headers = reply.headers.copy()
    headers.popall("Content-Length", None)
    headers[CLOUD] = part.cloud
    headers.update(write_members(replica, {one.cloud: one.resource_id for one in parts if one.stage in MADE}))
    headers.update(
        write_missing([(one.cloud, one.code or "replica.pending") for one in parts if one.stage not in MADE])
    )
    return web.Response(status=reply.status, headers=headers, body=reply.body)


def lead(parts: Sequence[Part], entry: str) -> Part:
    """The part whose cloud's answer is the client's: of the entry cloud, else the first."""
    return min(parts, key=lambda part: (part.cloud != entry, part.number))


def not_created(steps: Steps) -> OpenStackoidError:
    """The error of a create that is in no cloud, or will be in none."""
    wrong = [part for part in steps.parts if part.code]
    unsure, left = steps.of(*OPEN), steps.of(*MADE)
    undone = steps.of(Stage.UNDONE)
    sentences = [summary(wrong)]
    if undone:
        sentences.append(f"What was created in {_names(undone)} is deleted again.")
    if left:
        sentences.append(f"It is still in {_names(left)}, and is deleted as soon as that cloud lets it.")
    if unsure:
        then = "deleted" if steps.operation.policy is Policy.UNDO else "kept"
        sentences.append(f"Whether {_names(unsure)} has created it is not certain yet: it is looked for, and {then}.")
    if not left and not unsure:
        sentences.append("It is in no cloud.")
    sentences.append(f"(operation {steps.operation.id})")
    refused = not left and not unsure and all(not is_passing(part) for part in wrong)
    return (ReplicaRefusedError if refused else ReplicaFailedError)(" ".join(sentences))


def changed(steps: Steps, entry: str) -> web.Response:
    """The answer to an update or a delete.

    Raises:
        ReplicaRefusedError: a cloud refused, after another had done it.
        ReplicaFailedError: no cloud has answered yet.
    """
    done, refused = steps.of(Stage.DONE), steps.of(Stage.FAILED)
    word = steps.operation.work.value
    if not done and refused:
        part = refused[0]
        reply = steps.replies[part.number]
        return response(reply, part, steps.operation.replica, ())
    if not done:
        raise ReplicaFailedError(
            f"{summary(steps.parts)} The {word} is on record (operation {steps.operation.id}), and reaches each cloud when it is back."
        )
    if refused:
        raise ReplicaRefusedError(
            f"The {word} is done in {_names(done)}, and refused elsewhere. {summary(refused)} (operation {steps.operation.id})"
        )
    part = lead(done, entry)
    return response(steps.replies[part.number], part, steps.operation.replica, steps.parts)


def _names(parts: Sequence[Part]) -> str:
    return ", ".join(part.cloud for part in parts)
