from pathlib import Path

import pytest

from events.subscriptions.models import MOST_DAYS
from lava_lite import options


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("::1", "http://[::1]:8000/"),
        ("lab.example.org", "http://lab.example.org:8000/"),
    ],
)
def test_the_address_is_one_that_can_be_called(host: str, address: str) -> None:
    assert options.address(host, 8000) == address


@pytest.mark.parametrize("address", ["", "https://lab.example.org", "http://10.0.0.7:8000/lab"])
def test_the_lab_has_an_address_for_others_or_none(address: str, tmp_path: Path) -> None:
    assert options.load(tmp_path, {"LAB_URL": address})["LAB_URL"] == address


def test_an_address_ends_without_a_slash(tmp_path: Path) -> None:
    assert (
        options.load(tmp_path, {"LAB_URL": "https://lab.example.org/"})["LAB_URL"]
        == "https://lab.example.org"
    )


@pytest.mark.parametrize("address", ["lab.example.org", "ftp://lab", "https://", "https://lab?x=1"])
def test_what_is_no_address_is_refused_with_what_would_be_right(address: str, tmp_path: Path) -> None:
    with pytest.raises(
        options.BadSetting, match=r"LAB_URL: expected an address such as https://lab\.example\.org"
    ):
        options.load(tmp_path, {"LAB_URL": address})


@pytest.mark.parametrize(
    "url", ["amqp://guest:guest@127.0.0.1:5672/", "amqps://rabbit.example.org", "amqp://[::1]/lab%2Fone"]
)
def test_a_broker_is_named_by_an_address(url: str, tmp_path: Path) -> None:
    assert options.load(tmp_path, {"EVENT_AMQP_URL": url})["EVENT_AMQP_URL"] == url


@pytest.mark.parametrize(
    "url",
    [
        "rabbit",
        "http://a:hunter2@rabbit",
        "amqp://",
        "amqp://a:hunter2@rabbit:port/",
        "amqp://a:hunter2@rabbit/?x=1",
    ],
)
def test_what_is_no_address_of_a_broker_is_refused_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(options.BadSetting, match=r"EVENT_AMQP_URL: .* amqp://user:password@host") as refused:
        options.load(tmp_path, {"EVENT_AMQP_URL": url})

    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value"), [("EVENT_AMQP_AUDIENCE", "everybody"), ("EVENT_AMQP_EXCHANGE", "x" * 128)]
)
def test_an_exchange_has_a_name_that_fits_and_an_audience_that_is_known(
    name: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(options.BadSetting, match=f"{name}: expected"):
        options.load(tmp_path, {name: value})


@pytest.mark.parametrize("network", ["10.0.0.0/33", "192.168.7.1/24", "the lab"])
def test_what_is_no_network_is_refused_in_the_environment_and_in_the_file(
    network: str, tmp_path: Path
) -> None:
    with pytest.raises(options.BadSetting, match="WEBHOOK_ALLOWED_NETWORKS"):
        options.load(tmp_path, {"WEBHOOK_ALLOWED_NETWORKS": network})
    (tmp_path / "settings.yaml").write_text(f"WEBHOOK_ALLOWED_NETWORKS: [{network}]\n")
    with pytest.raises(options.BadSetting, match="WEBHOOK_ALLOWED_NETWORKS"):
        options.load(tmp_path, {})


@pytest.mark.parametrize("days", ["0", "366", "week"])
def test_a_subscription_lasts_for_some_days(days: str, tmp_path: Path) -> None:
    with pytest.raises(options.BadSetting, match="SUBSCRIPTION_DAYS: expected a whole number of days from 1"):
        options.load(tmp_path, {"SUBSCRIPTION_DAYS": days})


def test_the_usual_days_of_a_subscription_are_no_more_than_it_may_have() -> None:
    assert options.MOST_DAYS == MOST_DAYS
