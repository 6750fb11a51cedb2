import base64

import pytest

from shared.security.signatures import read_key, sign


def test_the_example_of_the_specification_is_signed_alike() -> None:
    key = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_part_is_signed() -> None:
    key = b"k" * 32
    signed = {
        sign(key, "evt-1", 1, b"{}"),
        sign(b"j" * 32, "evt-1", 1, b"{}"),
        sign(key, "evt-2", 1, b"{}"),
        sign(key, "evt-1", 2, b"{}"),
        sign(key, "evt-1", 1, b"{ }"),
    }
    assert len(signed) == 5


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_no base64!",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
        base64.b64encode(b"k" * 32).decode(),
    ],
)
def test_a_weak_or_unreadable_key_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        read_key(secret)
    assert not secret or secret.removeprefix("whsec_") == "" or secret not in str(refused.value)
