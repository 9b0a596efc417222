from pathlib import Path

import pytest

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
