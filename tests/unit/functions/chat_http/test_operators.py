import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.chat_http import operators
from shared.errors import InvalidInput
from shared.memory.models import Operator
from shared.personal_data import Remains
from shared.security import receipts
from shared.security.passwords import DUMMY_HASH, hash_password
from tests.unit.functions.chat_http.conftest import SECRET

PASSWORD = "correct horse battery staple"
HASH = hash_password(PASSWORD)


@pytest.fixture
def with_ada(api: Any) -> Any:
    api.services.store.operators["ada"] = Operator("ada", "Ada L.", HASH, datetime(2026, 1, 1, tzinfo=UTC), "admin")
    return api


async def test_an_operator_signs_in_and_may_erase_a_customer(with_ada: Any) -> None:
    response = await with_ada.http.post("/auth/login", json={"username": "ada", "password": PASSWORD})

    assert response.status_code == 200
    signed_in = response.json()
    assert signed_in["token_type"] == "bearer"
    assert signed_in["expires_at"] == "2026-05-04T13:00:10Z"
    assert (signed_in["display_name"], signed_in["role"]) == ("Ada L.", "admin")
    await with_ada.start("user123")
    await with_ada.start("user123")
    headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
    receipt = (await with_ada.http.delete("/customers/user123", headers=headers)).json()
    assert (receipt["conversations"], receipt["left"], receipt["unchecked"]) == (2, {}, [])


async def test_the_receipt_of_an_erasure_is_signed_and_names_nobody(with_ada: Any) -> None:
    await with_ada.start("user123")
    receipt = (await with_ada.http.delete("/customers/user123", headers=with_ada.operator())).json()
    claims = receipts.read(SECRET, receipt["receipt"], "user/user123")
    assert claims["outcome"] == {key: receipt[key] for key in receipt if key not in ("at", "receipt")}
    assert claims["iat"] == datetime.fromisoformat(receipt["at"]).timestamp()
    assert "user123" not in json.dumps(claims)
    # Somebody else's name, a count that was changed, another key: none of them passes.
    head, body, signature = receipt["receipt"].split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged["outcome"]["conversations"] = 2
    changed = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("=")
    for secret, text, subject in (
        (SECRET, receipt["receipt"], "user/user124"),
        (SECRET, f"{head}.{changed}.{signature}", "user/user123"),
        (SECRET[::-1], receipt["receipt"], "user/user123"),
    ):
        with pytest.raises(InvalidInput):
            receipts.read(secret, text, subject)


async def test_what_an_erasure_leaves_is_named(with_ada: Any, caplog: pytest.LogCaptureFixture) -> None:
    with_ada.services.personal_data.found = Remains({"Ticket": 1}, ("DeadLetter",))
    receipt = (await with_ada.http.delete("/customers/user123", headers=with_ada.operator())).json()
    assert (receipt["left"], receipt["unchecked"]) == ({"Ticket": 1}, ["DeadLetter"])
    outcome = receipts.read(SECRET, receipt["receipt"])["outcome"]
    assert (outcome["left"], outcome["unchecked"]) == ({"Ticket": 1}, ["DeadLetter"])
    assert "erasure_incomplete" in caplog.messages


async def test_unknown_users_and_wrong_passwords_look_the_same(
    with_ada: Any, problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def spy(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return original(password_hash, password)

    original = operators.verify_password
    monkeypatch.setattr(operators, "verify_password", spy)
    wrong = problem(await with_ada.http.post("/auth/login", json={"username": "ada", "password": "wrong"}), 401)
    unknown = problem(await with_ada.http.post("/auth/login", json={"username": "eve", "password": "wrong"}), 401)

    assert wrong == unknown
    # Both cost one check of a hash of the same strength (see the tests of passwords).
    assert checked == [HASH, DUMMY_HASH]


@pytest.mark.parametrize(
    "body", [{}, {"username": "ada"}, {"username": "", "password": "x"}, {"username": "ada", "password": "x" * 257}]
)
async def test_incomplete_logins_are_refused(api: Any, problem: Any, body: dict[str, str]) -> None:
    problem(await api.http.post("/auth/login", json=body), 422)


async def test_a_login_as_a_form_is_refused(api: Any, problem: Any) -> None:
    problem(await api.http.post("/auth/login", data={"username": "ada", "password": "x"}), 415)


async def test_erasing_a_customer_needs_an_operator(api: Any, problem: Any) -> None:
    response = await api.http.delete("/customers/user123")
    problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


async def test_erasing_a_customer_needs_an_admin(api: Any, problem: Any) -> None:
    problem(await api.http.delete("/customers/user123", headers=api.operator("agent")), 403)


async def test_an_account_that_is_gone_opens_nothing(api: Any, problem: Any) -> None:
    headers = api.operator()
    del api.services.store.operators["ada"]
    problem(await api.http.delete("/customers/user123", headers=headers), 401)


@pytest.mark.parametrize("user_id", ["org/7", "a b", "ümlaut@example.com", "auth0|5f", "x?y#z"])
async def test_any_user_id_can_be_erased(api: Any, user_id: str) -> None:
    await api.start(user_id)
    path = "/customers/" + "".join(f"%{byte:02X}" for byte in user_id.encode())
    receipt = await api.http.delete(path, headers=api.operator())
    assert receipt.json()["conversations"] == 1


async def test_no_customer_is_no_customer(api: Any, problem: Any) -> None:
    problem(await api.http.delete("/customers/", headers=api.operator()), 422)
