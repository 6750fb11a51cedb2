"""What is asked, and what is made of the times."""

from benchmarks.turn import questions, ratios


def test_turns_are_divided_by_the_sum_of_their_parts() -> None:
    found = {
        "keyless": {"json": [0.03] * 3, "events": [0.02] * 3, "parts": [[0.005, 0.005, 0.004, 0.006]] * 6},
        "beside peer": {"ours json": [0.01], "ours events": [0.02], "peer json": [0.03], "peer events": [0.03]},
        "turns per second": {"ours": [80, 60, 100], "peer": [20, 20, 40]},
    }
    assert [round(ratio.value, 3) for ratio in ratios(found)] == [1.5, 1.5, 1.0, 1.0, 3.0, 1.5, 4.0]


def test_the_questions_are_distinct() -> None:
    asked = list(questions())
    assert len(set(asked)) == len(asked) >= 400
