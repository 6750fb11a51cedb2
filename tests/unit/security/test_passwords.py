from shared.security.passwords import DUMMY_HASH, hash_password, verify_password


def test_a_password_opens_its_own_hash_only() -> None:
    hashed = hash_password("correct horse battery staple")

    assert hashed.startswith("$argon2id$")
    assert "correct" not in hashed
    assert verify_password(hashed, "correct horse battery staple")
    assert not verify_password(hashed, "correct horse battery stable")


def test_the_same_password_never_makes_the_same_hash() -> None:
    assert hash_password("correct horse battery staple") != hash_password("correct horse battery staple")


def test_a_broken_hash_opens_to_nobody() -> None:
    assert not verify_password("not a hash", "anything")


def test_the_hash_for_unknown_users_costs_as_much_as_a_real_one_and_opens_to_nobody() -> None:
    def costs(hashed: str) -> list[str]:
        return hashed.split("$")[1:4]

    assert costs(DUMMY_HASH) == costs(hash_password("any password"))
    assert not verify_password(DUMMY_HASH, "")
    assert not verify_password(DUMMY_HASH, "password")
