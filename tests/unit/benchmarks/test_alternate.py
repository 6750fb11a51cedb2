import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.alternate import alternating

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def echoing() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write("still here\n")
    process.stdin.flush()
    return process.stdout.readline()


@pytest.fixture
def both() -> Iterator[list[subprocess.Popen[str]]]:
    processes = [echoing(), echoing()]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_each_is_stopped_and_goes_on_again_and_again(both: list[subprocess.Popen[str]]) -> None:
    with alternating([process.pid for process in both]):
        for process in both * 2:
            assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
            assert os.WIFCONTINUED(os.waitpid(process.pid, os.WCONTINUED)[1])


def test_afterwards_all_run(both: list[subprocess.Popen[str]]) -> None:
    with alternating([process.pid for process in both]):
        os.waitpid(both[1].pid, os.WUNTRACED)
    assert [answer(process) for process in both] == ["still here\n"] * 2


def test_none_stays_stopped_when_another_has_ended(both: list[subprocess.Popen[str]]) -> None:
    with alternating([process.pid for process in both]):
        os.waitpid(both[1].pid, os.WUNTRACED)
        both[0].kill()
        both[0].wait()
        assert answer(both[1]) == "still here\n"
