"""The AsyncAPI document: where a lab tells its events, and what they say. Made from the catalogue. No ORM."""

from __future__ import annotations

from typing import Any, Final

from events import contract
from events.catalogue import CATALOGUE, EventType

Part = dict[str, Any]

SUMMARY: Final = (
    "Every change of a job, of one of its steps, of a device or a worker, and what tests say of their own. Payloads grow: pass over keys that you do "
    "not know. What is there already keeps its name, its type and its meaning."
)

# The first four frames of LAVA's messages.
_FRAMES: Final[Part] = {
    "type": "object",
    "description": "the four frames before the payload, in this order",
    "required": ["topic", "uuid", "time", "user"],
    "properties": {
        "topic": {"type": "string", "description": "the channel's address"},
        "uuid": {"type": "string", "format": "uuid", "description": "the same on every transport"},
        "time": {"type": "string", "description": "naive UTC time with six decimals"},
        "user": {"type": "string", "description": "for a job its submitter, else lavaserver"},
    },
}
_TOPIC: Final[Part] = {"default": "org.lavasoftware", "description": "the setting EVENT_TOPIC"}


def document() -> Part:
    topics = sorted({entry.lava for entry in CATALOGUE.values() if entry.lava})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "The events of a lava_lite lab", "version": "v1", "description": SUMMARY},
        "defaultContentType": "application/json",
        "servers": {
            "http": {
                "host": "127.0.0.1:8000",
                "protocol": "http",
                "description": "server-sent events, and pages of JSON; they tell what the one who asks may see",
            },
            "zmq": {
                "host": "127.0.0.1:5500",
                "protocol": "zmq",
                "description": "a PUB socket, the setting EVENT_SOCKET; it tells what an anonymous visitor may see",
            },
        },
        "channels": {"events": _all_events(), **{topic: _topic(topic) for topic in topics}},
        "operations": {f"send.{topic}": _sent(topic) for topic in topics},
        "components": {
            "messages": {
                **{entry.schema: _cloud_event(entry) for entry in CATALOGUE.values()},
                **{topic: _lava_message(topic) for topic in topics},
            },
            "schemas": {
                contract.ENVELOPE: contract.envelope(),
                **{entry.schema: contract.payload(entry) for entry in CATALOGUE.values()},
            },
        },
    }


def _all_events() -> Part:
    return {
        "address": "/api/v1/events",
        "title": "Every event as a CloudEvent",
        "description": "In the order of `sequence`, as server-sent events: `id` is the sequence, `event` the canonical type.",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": {entry.schema: _reference("messages", entry.schema) for entry in CATALOGUE.values()},
    }


def _topic(topic: str) -> Part:
    return {
        "address": f"{{topic}}.{topic}",
        "title": f"LAVA's messages: {topic}",
        "description": "Five frames of text, the last one of which is the payload.",
        "servers": [{"$ref": "#/servers/zmq"}],
        "parameters": {"topic": _TOPIC},
        "messages": {topic: _reference("messages", topic)},
    }


def _sent(topic: str) -> Part:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": [{"$ref": f"#/channels/{topic}/messages/{topic}"}],
    }


def _cloud_event(entry: EventType) -> Part:
    particular = {
        "type": contract.canonical_type(entry, before=f"{contract.PREFIX}."),
        "data": _reference("schemas", entry.schema),
    }
    return {
        "name": entry.schema,
        "summary": entry.fires,
        "contentType": "application/cloudevents+json",
        "tags": [{"name": entry.subject}],
        "payload": {
            "allOf": [_reference("schemas", contract.ENVELOPE), {"type": "object", "properties": particular}]
        },
    }


def _lava_message(topic: str) -> Part:
    told = [entry for entry in CATALOGUE.values() if entry.lava == topic]
    return {
        "name": topic,
        "summary": ", ".join(entry.name for entry in told),
        "headers": _FRAMES,
        "payload": {"oneOf": [_reference("schemas", entry.schema) for entry in told]},
    }


def _reference(kind: str, name: str) -> Part:
    return {"$ref": f"#/components/{kind}/{name}"}
