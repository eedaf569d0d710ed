"""The first signal sets a flag, a second one does what it did before, and handlers are given back."""

import signal
import threading

import pytest

from recurra.tasks.training.interrupts import SIGNALS, Interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_sets_the_flag(number: int) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts() as interrupts:
        assert not interrupts.is_set()
        signal.raise_signal(number)
        assert interrupts.is_set()
        assert interrupts.signal == number
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_the_second_signal_does_what_it_did_before() -> None:
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.signal == signal.SIGTERM


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_changes() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def run() -> None:
        with Interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]
