"""Keep a processor busy; light to import, as worker processes do."""

import time


def work(seconds: float) -> int:
    """Use up this much time of one core; return how often it went round."""
    rounds = 0
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(number * number for number in range(1000))
        rounds += 1
    return rounds
