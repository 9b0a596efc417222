"""What a definition says that is accepted and probably a mistake: warnings, by the tables of LAVA's methods. No ORM.

The bodies of actions are open, as the dispatcher decides what it understands and newer ones understand more. These are
the methods and keys of LAVA 2023.01; whatever is not among them may be misspelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from core import yaml
from core.faults import Fault, Faults, Path, entry, suggest
from jobs.values import duration_of

Keys = Mapping[str, tuple[frozenset[str], frozenset[str]]]  # by method: what it needs, and what it may have

_COMMON = frozenset(
    {
        *("namespace", "connection-namespace", "protocols", "role", "timeout", "timeouts", "repeat"),
        *("failure_retry", "failure_retry_interval"),
    }
)


def _table(common: str, rows: str) -> Keys:
    """Each row is a method and its keys; those it needs have a star."""
    shared = _COMMON | set(common.split())
    methods: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for row in rows.strip().splitlines():
        names, _, words = row.strip().partition(":")
        needs = frozenset(word.rstrip("*") for word in words.split() if word.endswith("*"))
        keys = frozenset(word.rstrip("*") for word in words.split())
        methods |= dict.fromkeys(names.split(), (needs, keys | shared))
    return MappingProxyType(methods)


DEPLOY = _table(
    "to os authorize",
    """
    docker: image*
    download flasher mps musca recovery uuu: images*
    downloads: images* postprocess
    fastboot: images* docker connection
    fvp: images* ramdisk uniquify
    iso-installer: images* iso*
    lxc: packages
    nbd: kernel* nbdroot* initrd* dtb
    nfs: images nfsrootfs modules
    overlay:
    sata sd usb: device* images image download writer tool uniquify
    ssh: firmware kernel rootfs modules
    tftp: kernel* dtb modules preseed ramdisk nfsrootfs persistent_nfs tee
    tmpfs: images* type uefi
    u-boot-ums: image*
    vemsd: recovery_image*
    """,
)
BOOT = _table(
    "method parameters soft_reboot",
    """
    barebox: commands* prompts auto_login transfer_overlay
    bootloader: bootloader* commands* use_bootscript prompts
    cmsis-dap dfu jlink monitor openocd pyocd:
    depthcharge: commands* extra_kernel_args auto_login prompts use_bootscript transfer_overlay
    docker: command* prompts downloads-namespace
    fastboot: commands use_bootscript prompts auto_login transfer_overlay docker
    fvp: console_string* image* arguments* prompts* docker* use_telnet feedbacks license_variable version_string transfer_overlay auto_login
    gdb: commands* container
    grub grub-efi: commands* auto_login boot_finished expect_shell prompts use_bootscript transfer_overlay
    ipxe: commands* prompts transfer_overlay auto_login use_bootscript
    kexec: boot_message* prompts auto_login deploy command kernel dtb initrd options kernel-config transfer_overlay on_panic
    lxc: prompts*
    minimal: prompts auto_login pre_power_command pre_os_command reset transfer_overlay
    musca: prompts
    new_connection: connection* prompts auto_login transfer_overlay
    qemu: connection media prompts transfer_overlay auto_login docker
    qemu-iso: media* prompts auto_login
    qemu-nfs: connection prompts transfer_overlay auto_login
    recovery: commands*
    schroot: connection* schroot* prompts
    ssh: connection* prompts
    u-boot: commands* prompts auto_login use_bootscript transfer_overlay
    uefi: commands* shell_menu prompts auto_login
    uefi-menu: commands prompts line_separator auto_login
    uuu: commands* docker
    """,
)
TEST = _table(
    "", "definitions: definitions* docker downloads-namespace\ninteractive: interactive*\nmonitors: monitors*"
)
COMMAND = _table("", "command: name*")
DEFINITION = _table(
    "",
    """
    definition: from* repository* path* name* parameters branch revision history shallow skip_install lava-signal docker
    """,
)["definition"]
LOGIN = _table("", "login: login_prompt* username* password_prompt password login_commands")["login"]
NOTIFY = _table("", "notify: criteria* recipients verbosity callback callbacks compare")["notify"]


def warnings(text: str) -> list[Fault]:
    """Of a text in which `definition.parse` finds no fault; in the order of their lines."""
    document = yaml.parse(text)
    job: dict[str, Any] = document.value
    found = Faults()
    bodies = list(_bodies(job))
    for at, kind, body in bodies:
        _check_action(found, at, kind, body)
    _check_namespaces(found, bodies)
    _check_timeouts(found, job)
    if "notify" in job:
        _check_keys(found, ("notify",), job["notify"], NOTIFY)
    return found.placed(document)


Body = tuple[Path, str, dict[Any, Any]]


def _bodies(job: dict[str, Any]) -> Iterator[Body]:
    for index, action in enumerate(job["actions"]):
        for kind, body in action.items():
            yield ("actions", index, kind), kind, body


def _check_action(faults: Faults, at: Path, kind: str, body: dict[Any, Any]) -> None:
    match kind:
        case "deploy":
            _check_method(faults, at, body, "to", DEPLOY)
        case "boot":
            _check_method(faults, at, body, "method", BOOT)
            if "auto_login" in body:
                _check_keys(faults, (*at, "auto_login"), body["auto_login"], LOGIN)
        case "test":
            kind = next(key for key in TEST if key in body)
            _check_keys(faults, at, body, TEST[kind])
            for index, definition in enumerate(body.get("definitions", ())):
                _check_keys(faults, (*at, "definitions", index), definition, DEFINITION)
        case _:
            _check_keys(faults, at, body, COMMAND["command"])


def _check_method(faults: Faults, at: Path, body: dict[Any, Any], key: str, methods: Keys) -> None:
    method = body.get(key)
    if method is None:
        faults.add((*at, key), f"is missing; expected one of {', '.join(methods)}")
    elif not isinstance(method, str) or method not in methods:
        faults.add((*at, key), f"LAVA 2023.01 has no such method; {suggest(method, list(methods))}")
    else:
        _check_keys(faults, at, body, methods[method])


def _check_keys(faults: Faults, at: Path, body: Any, keys: tuple[frozenset[str], frozenset[str]]) -> None:
    needed, known = keys
    if not isinstance(body, dict):
        faults.expected(at, "a mapping", body)
        return
    for key in body:
        if key not in known:
            faults.add((*at, key), f"LAVA 2023.01 does not know it here; {suggest(key, sorted(known))}")
    for key in sorted(needed - body.keys()):
        faults.add((*at, key), "is missing")


def _check_namespaces(faults: Faults, bodies: list[Body]) -> None:
    if not any("namespace" in body for _, _, body in bodies):
        return
    for at, _, body in bodies:
        if "namespace" not in body:
            faults.add((*at, "namespace"), "is missing: others have a namespace, and so should this one")


def _check_timeouts(faults: Faults, job: dict[str, Any]) -> None:
    timeouts = job["timeouts"]
    whole = duration_of(timeouts["job"])
    single = [("timeouts", key) for key in ("action", "connection") if key in timeouts]
    named = [("timeouts", key, name) for key in ("actions", "connections") for name in timeouts.get(key, ())]
    for at in [*single, *named]:
        duration = duration_of(entry(job, *at))
        if whole is not None and duration is not None and duration > whole:
            faults.add(at, "is longer than the whole job may take")
