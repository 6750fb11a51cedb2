from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.escalation.requests import asks_for_human

ASKS = """
I want to talk to a human
agent please
Real person, please!
representative
let me speak to someone
Can I speak with a customer service representative about my invoice?
Could you connect me with someone from billing?
transfer me to your support team
I'd like to chat with a live agent
This is useless. Get me a human.
please put me through to the refunds department
Is there anyone I can talk to?
is there a real person there
I don't want to talk to a bot anymore
I’m sick of talking to a machine, let me talk to somebody
no more bots
operator
How can I get hold of a human being?
I need to speak to your manager
Can someone call me back?
hand me over to a colleague, I mean a real human
I would prefer a person
escalate this to a supervisor
Could a human help me with this?
are you a bot? I want a human
I've asked three times now: give me an agent who can help
How do I get in touch with someone at your company?
Hello, human
What do I have to do to speak to an actual person?
Have a representative contact me, please
I can't reach anyone from your support team
you don't get it, I need a human to look at this
Can I call an agent instead?
speak to supervisor
I'd rather talk to a real person than a chatbot
talk to agent
live chat
customer service please
I want to speak with one of your staff members
My order is late and nobody answers; please let me talk to a person
can I have a human please
I would like to be transferred to an agent
how to contact a person of customer support
I need human assistance now
I'd like assistance from a human
"""
DOES_NOT_ASK = """
Are you human?
is this a bot
Am I talking to a real person or a robot?
How do I contact human resources about my contract?
how do I contact the seller's agent
Where can I find my insurance agent's phone number?
What is the difference between an agent and an administrator?
How many agents can I add to the Pro plan?
I need an agent key for the monitoring software
Does a real person read these messages?
The representative I spoke to yesterday promised a refund. Where is it?
Can I return the headphones without talking to an agent?
I don't want to talk to a human, just tell me the return address
Do I have to speak to a representative to close my account?
What does the error "operator not supported" mean?
human-readable export of my data?
Can a person under 18 open an account?
Someone stole my card, what now?
somebody else is using my account
How do I change the contact person on my company account?
What happens when I talk to a representative on the weekend?
My agent never called me back. Can I choose another travel agent?
I was chatting with an agent and got disconnected; is my refund still open?
Do you consider yourself a person?
can you talk like a real human
My account manager changed, how do I update that?
Can people see my profile?
How do I give someone access to my calendar?
What are the customer service hours?
Is the support team available on Sundays?
My machine does not talk to the computer over Bluetooth
I need a representative sample of the fabric
who made you, a person or an AI?
I want to report an agent who was rude
Is there a person limit for the family plan?
how can I send money to someone in another country
Which user agent string does your app send?
I am the human who ordered the lamp
Could human error explain the double charge?
The delivery person left the parcel with a neighbour
Just one person, please: a table for Sunday
This page checks that you are not a bot
I can't speak to anyone in the game chat
connect me to the VPN
can an agent see my password
call me Al
"""


@pytest.mark.parametrize("text", ASKS.strip().splitlines())
def test_asks_for_a_human(text: str) -> None:
    assert asks_for_human(text)


@pytest.mark.parametrize("text", DOES_NOT_ASK.strip().splitlines())
def test_does_not_ask_for_a_human(text: str) -> None:
    assert not asks_for_human(text)


@pytest.mark.parametrize(
    "request_", ["I want to talk to a human", "Can I speak to an agent?", "get me a representative"]
)
@given(before=st.sampled_from(["Hello. ", "My parcel is late! ", "are you a bot? ", "1\n2\n"]), shout=st.booleans())
def test_the_request_may_stand_anywhere(request_: str, before: str, shout: bool) -> None:
    text = f"{before}{request_}. Thanks."
    assert asks_for_human(text.upper() if shout else text)


@given(st.text(max_size=300))
def test_any_text_has_an_answer(text: str) -> None:
    assert asks_for_human(text) in (True, False)


def test_an_empty_message_asks_for_nothing() -> None:
    assert not asks_for_human("")
    assert not asks_for_human(" ?! ")
