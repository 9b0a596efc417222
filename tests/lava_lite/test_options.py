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
