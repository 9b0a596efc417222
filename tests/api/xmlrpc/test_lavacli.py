"""The real lavacli gets and sets what an administrator keeps in files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from accounts.models import Token
from devices.models import Device, DeviceType, Worker
from tests import build
from tests.jobs.test_health_checks import CHECK
from tests.serving import PATIENCE, Site

LAVACLI = Path(sys.executable).with_name("lavacli")
DICTIONARY = "available_architectures: [arm64]\n"

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lavacli(site: Site, admin: User) -> Call:
    """`lavacli("workers", "list")` as the administrator."""
    uri = f"http://admin:{Token.objects.issue(admin)}@127.0.0.1:{site.port}/RPC2"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, LAVACLI, "--uri", uri, *command],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )

    return run


@pytest.mark.parametrize(
    ("of", "what", "name", "text"),
    [
        ("workers", "config", "worker01", "dispatcher_ip: 10.0.0.1\n"),
        ("workers", "env", "worker01", "purge: true\n"),
        ("workers", "env-dut", "worker01", "overrides: {WHO: äöü}\n"),
        ("devices", "dict", "qemu01", DICTIONARY),
        ("device-types", "health-check", "qemu", CHECK),
    ],
)
def test_what_it_sets_it_gets(
    lavacli: Call, tmp_path: Path, of: str, what: str, name: str, text: str
) -> None:
    build.device()
    (tmp_path / "file").write_text(text)

    done = lavacli(of, what, "set", name, str(tmp_path / "file"))
    shown = lavacli(of, what, "get", name)

    assert (done.returncode, shown.returncode) == (0, 0), done
    assert shown.stdout.strip() == text.strip()
    kept = (
        *Worker.objects.values_list("dispatcher_config", "env", "env_dut").get(),
        Device.objects.get().dictionary,
        DeviceType.objects.get().health_check,
    )
    assert text in kept


def test_it_tells_what_is_wrong_with_a_file(lavacli: Call, tmp_path: Path) -> None:
    build.worker(env="purge: true")
    (tmp_path / "file").write_text("- a list")

    refused = lavacli("workers", "env", "set", "worker01", str(tmp_path / "file"))

    assert refused.returncode == 1
    assert "expected a mapping, got a list" in refused.stdout + refused.stderr
    assert Worker.objects.get().env == "purge: true"
