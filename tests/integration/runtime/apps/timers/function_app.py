"""A timer that ticks each second and fails, and one that starts with the host."""

import json
import os
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()


def record(name: str, timer: func.TimerRequest) -> None:
    with Path(os.environ["RECORD"]).open("a") as file:
        print(json.dumps({"timer": name, "past_due": timer.past_due, "next": timer.schedule_status["Next"]}), file=file)


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
async def tick(timer: func.TimerRequest) -> None:
    record("tick", timer)
    raise ValueError("the next one comes anyway")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
async def at_start(timer: func.TimerRequest) -> None:
    record("at_start", timer)
