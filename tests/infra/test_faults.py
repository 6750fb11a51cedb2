"""The faults that `make infra-faults` makes can still be made."""

import pytest

from tests.infra.faults import FAULTS, ROOT, Fault, checks


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.what}")
def test_a_fault_can_be_made_and_is_looked_for(fault: Fault) -> None:
    assert fault.old in (ROOT / fault.file).read_text()
    assert fault.old != fault.new
    assert all((ROOT / test).exists() for test in checks(fault.file))
