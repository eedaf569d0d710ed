"""The training loop of all jobs: it draws losses from a job, updates the weights, evaluates, and keeps checkpoints."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recurra.errors import RunError
from recurra.tasks.run import RunFolder
from recurra.tasks.training.checkpoint import TrainingCheckpoint, grouped, read_checkpoint
from recurra.tasks.training.claim import claimed
from recurra.tasks.training.clock import Clock, Journal
from recurra.tasks.training.events import Callback, Evaluation, Step, TrainingOutcome
from recurra.tasks.training.generators import generator_states, restore_generators
from recurra.tasks.training.interrupts import Interrupts
from recurra.tasks.training.job import Job
from recurra.tasks.training.keeping import Keeper
from recurra.tasks.training.learner import Learner
from recurra.tasks.training.metrics import MetricsRow, metrics_row, rows_of, text_of
from recurra.tasks.training.optimizers import triggers
from recurra.tasks.training.processes import OneProcess, Processes
from recurra.tasks.training.progress import Progress
from recurra.tasks.training.schedule import rate
from recurra.tasks.training.settings import TrainingSettings
from recurra.tasks.training.weights import are_finite, weights_of

LEAST_STEPS_BETWEEN_EVALUATIONS = 200

_logger = logging.getLogger("recurra")


def fit(
    job: Job,
    settings: TrainingSettings,
    run: RunFolder | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    processes: Processes | None = None,
    resumes: bool = False,
    warn: Callable[[str], None] = _logger.warning,
) -> TrainingOutcome:
    """Train a job until its budget is used up, nothing improves any more, or SIGINT or SIGTERM comes.

    The run folder holds the best model so far, a row of metrics for each evaluation, and a checkpoint from which
    `resumes` goes on: after a signal too, which ends the training within a window. Before the first evaluation the
    model is that of the moment of the interrupt. The module's weights are the last ones in the end, not the best.

    Args:
        job: the module and its data.
        settings: the budget, the optimizer, the learning rate and the clipping.
        run: the folder to write into. Default: nothing is written.
        callbacks: they follow each update and each evaluation.
        processes: the processes that train together. Default: this one alone.
        resumes: whether to go on from the folder's checkpoint; a run that was killed before its first one begins.
        warn: gets a line if a checkpoint or metrics cannot be written. Default: the log.

    Raises:
        RunError: the loss is no longer a number; the checkpoint cannot be read; the model cannot be written; or another
            process trains this run.
    """
    settings.check()
    processes = processes or OneProcess()
    with Interrupts() as interrupts, claimed(run, processes):
        training = _Training(job, settings, run, callbacks, processes, interrupts, warn)
        if resumes and (run is None or run.has_begun()):
            training.resume()
            if training.progress.is_finished:
                return training.outcome()  # nothing is to be done, nor to be told
        else:
            training.begin()
        return training.run_to_end()


def finished_outcome(run: RunFolder) -> TrainingOutcome | None:
    """The end of a run that is finished; None if its training can go on.

    Raises:
        RunError: the checkpoint is missing or damaged.
    """
    if not run.has_begun():
        return None
    checkpoint = read_checkpoint(run.checkpoint, run.fingerprint)
    progress = checkpoint.progress
    if not progress.is_finished:
        return None
    rows = rows_of(checkpoint.metrics)
    best = rows[progress.best] if progress.best is not None and progress.best < len(rows) else None
    return TrainingOutcome(progress.step, progress.epoch, best, None)


class _Training:
    def __init__(
        self,
        job: Job,
        settings: TrainingSettings,
        run: RunFolder | None,
        callbacks: Sequence[Callback],
        processes: Processes,
        interrupts: Interrupts,
        warn: Callable[[str], None],
    ) -> None:
        self.job, self.settings, self.run, self.processes = job, settings, run, processes
        self.interrupts = interrupts
        self.callbacks = callbacks if processes.is_first else ()
        self.keeper = Keeper(run if processes.is_first else None, settings.checkpoint_minutes, warn)
        self.learner = Learner(job.module, settings)
        self.progress = Progress()
        self.rows: list[MetricsRow] = []
        # A window of an evaluation, without backward pass, costs about a third of a step: at most a tenth of all time.
        rare_enough = max(LEAST_STEPS_BETWEEN_EVALUATIONS, 3 * job.windows_per_evaluation // settings.accumulate)
        self.every = settings.evaluate_every or rare_enough
        updates = -(-job.windows_per_epoch // settings.accumulate)
        self.steps = None if settings.epochs is None else settings.epochs * updates
        self.is_checkpoint_due = False

    def begin(self) -> None:
        """Begin a training, with the weights and the generators as they are."""
        self.processes.share(list(weights_of(self.job.module).values()))
        if self.processes.rank:  # so that each process draws masks of its own
            torch.manual_seed((torch.initial_seed() + self.processes.rank) % 2**63)
        self.job.begin_epoch(1)
        self.keeper.clean_up(self.rows)
        self._start_clock()
        self._write_checkpoint()

    def resume(self) -> None:
        """Go on from the checkpoint of the run folder.

        Raises:
            RunError: it cannot be read, or is not one of this job; nothing was written then.
        """
        if self.run is None:
            raise RunError("a training without a run folder cannot go on")
        path = self.run.checkpoint
        checkpoint = read_checkpoint(path, self.run.fingerprint)
        if not self.processes.same(checkpoint.progress.to_text().encode()):
            raise RunError(f"{path} is not the same for all processes: copy the run folder to all machines again")
        try:
            self.progress = progress = checkpoint.progress
            self.rows = rows_of(checkpoint.metrics)
            if len(self.rows) != len(progress.losses) or progress.window > self.job.windows_per_epoch:
                raise RunError("its numbers contradict each other")
            self.learner.load(checkpoint)
            self.job.begin_epoch(progress.epoch)
            carried = checkpoint.group("carried")
            if carried:
                self.job.load_state_tensors([carried[name] for name in sorted(carried, key=int)])
            self._restore_generators(checkpoint.group("generators"))
        except (RunError, ValueError) as error:
            raise RunError(f"{path} is damaged: {error}") from None
        self.keeper.clean_up(self.rows)
        if self.learner.best is not None:
            self._save_best()
        self._start_clock()

    def _restore_generators(self, states: dict[str, Tensor]) -> None:
        """Give this process's generators their states, or seed them anew if there were fewer processes."""
        rank = self.processes.rank
        if any(states_of.dim() != 2 for states_of in states.values()):
            raise RunError("the states of its random generators have another shape")
        if all(rank < len(each) for each in states.values()):
            restore_generators({name: each[rank] for name, each in states.items()})
        else:
            torch.manual_seed((torch.initial_seed() + rank) % 2**63)

    def _start_clock(self) -> None:
        limit, journal = self.settings.seconds, None
        if limit is not None and self.keeper.run is not None:
            journal = Journal(self.keeper.run.journal, self.progress.step, self.keeper.warn)
        self.clock = Clock(self.progress.seconds, limit, journal)

    def run_to_end(self) -> TrainingOutcome:
        """Train; see :func:`fit`."""
        progress = self.progress
        self.job.module.train()
        try:
            while not progress.is_finished:
                if self._stops_alone():
                    break
                goes_on = self._evaluate() if progress.is_evaluation_due else self._update()
                if not goes_on:
                    break
                if self.is_checkpoint_due and not progress.is_evaluation_due and not progress.is_finished:
                    self._write_checkpoint()
            return self._end()
        except BaseException:
            if not self.keeper.has_model() and are_finite(weights_of(self.job.module)):
                self.keeper.save_model(self.job.module, self.job.annotations)
            raise
        finally:
            self.clock.close(progress.is_finished)

    def _end(self) -> TrainingOutcome:
        if self.keeper.problem is not None or not self.keeper.has_model():
            self._save_best()
        self._write_checkpoint()
        if self.keeper.problem is not None:
            raise self.keeper.problem
        outcome = self.outcome()
        for callback in self.callbacks:
            callback.on_end(outcome)
        return outcome

    def outcome(self) -> TrainingOutcome:
        """The end of the training, as it is now."""
        progress = self.progress
        best = None if progress.best is None else self.rows[progress.best]
        sent = self.interrupts.signal or signal.SIGTERM  # another process had one
        return TrainingOutcome(progress.step, progress.epoch, best, None if progress.is_finished else sent)

    def _update(self) -> bool:
        """Make an update; False if the training is to stop after it."""
        progress, begin = self.progress, time.monotonic()
        if progress.window == self.job.windows_per_epoch:
            progress.epoch += 1
            progress.window = 0
            self.job.begin_epoch(progress.epoch)
        last = min(progress.window + self.settings.accumulate, self.job.windows_per_epoch)
        loss_sum, items = 0.0, 0
        self.learner.optimizer.zero_grad()
        before = self._position() if self.settings.accumulate > 1 else None
        for window in range(progress.window, last):
            if before is not None and self._stops_alone():
                self._return_to(*before)
                return False
            loss, count = self.job.loss(window)
            loss.backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
            items += count
        loss_sum, total, stops, share, due = self._reduced(loss_sum, items, last == self.job.windows_per_epoch)
        mean = _finite(loss_sum / total, progress.step + 1)
        fraction = min(max(share, progress.step / self.steps if self.steps else 0.0), 1.0)
        used = rate(self.settings, progress.step, fraction, progress.plateaus)
        self.learner.update(total, used, progress.averaged)
        progress.averaged += progress.averaged > 0
        progress.step += 1
        progress.window = last
        progress.loss_sum += loss_sum
        progress.items += total
        progress.fraction = min(max(share, progress.step / self.steps if self.steps else 0.0), 1.0)
        progress.is_last = progress.fraction >= 1
        progress.is_evaluation_due = progress.step % self.every == 0 or progress.is_last
        progress.training_seconds += time.monotonic() - begin
        self.is_checkpoint_due |= due > 0
        self._tell_step(mean, used)
        return stops == 0

    def _stops_alone(self) -> bool:
        """Whether a signal came to the only process; several agree on it in an update or an evaluation."""
        return self.processes.count == 1 and self.interrupts.is_set()

    def _position(self) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The carried state and the generators, to which an update that is given up returns."""
        return list(self.job.state_tensors()), generator_states()

    def _return_to(self, carried: list[Tensor], generators: dict[str, Tensor]) -> None:
        self.job.begin_epoch(self.progress.epoch)
        if carried:
            self.job.load_state_tensors(carried)
        restore_generators(generators)

    def _reduced(self, loss_sum: float, items: int, ends_epoch: bool) -> list[float]:
        """The sums over all processes of the gradients, in place, and of all numbers that an update depends on.

        These are the loss and its items, the processes that are to stop, the used share of the time and whether a
        checkpoint is due; the last two are those of process 0.
        """
        share = due = 0.0
        if self.processes.is_first:
            share = self.clock.share(self.progress.step)
            due = float(self.keeper.is_due(ends_epoch))
        numbers = [loss_sum, float(items), float(self.interrupts.is_set()), share, due]
        return self.processes.reduce(self.learner.gradients(), numbers)

    def _tell_step(self, loss: float, used: float) -> None:
        if not self.callbacks:
            return
        progress = self.progress
        speed = progress.items / max(progress.training_seconds, 1e-9)
        seconds = self.clock.seconds()
        step = Step(progress.step, progress.epoch, progress.fraction, loss, used, speed, seconds)
        for callback in self.callbacks:
            callback.on_step(step)

    def _evaluate(self) -> bool:
        """Evaluate, and keep the model if it is the best so far; False if the training is to stop before the end."""
        progress = self.progress
        with self.learner.with_averages():
            found = self.job.evaluate(self.interrupts.is_set)
            numbers = [0.0, 0.0, 1.0] if found is None else [*map(float, found), 0.0]
            loss_sum, items, stops = self.processes.sum(numbers)
            if stops:
                return False
            loss = _finite(loss_sum / items, progress.step)
            row = self._row(loss)
            train_loss = progress.loss_sum / progress.items
            begins_averaging = (
                self.settings.optimizer == "asgd" and not progress.averaged and triggers(progress.losses, loss)
            )
            is_best = progress.add_evaluation(loss)
            if is_best:
                self.learner.keep_best()
        self.rows.append(row)
        if is_best or self.keeper.problem is not None:
            self._save_best()
        if begins_averaging:
            self.learner.begin_averaging()
            progress.averaged = 1
        progress.is_finished = progress.is_last or 0 < self.settings.patience <= progress.worse
        self.keeper.write_metrics(self.rows)
        evaluation = Evaluation(progress.step, progress.epoch, train_loss, loss, is_best, row)
        for callback in self.callbacks:
            callback.on_evaluation(evaluation)
        return True

    def _row(self, loss: float) -> MetricsRow:
        progress, figures = self.progress, self.job.figures(loss)
        plain = rate(self.settings, progress.step, progress.fraction, progress.plateaus)
        return metrics_row(
            {
                "step": progress.step,
                "epoch": progress.epoch,
                "train_loss": progress.loss_sum / progress.items,
                "valid_loss": loss,
                **figures,
                f"{self.job.item}s_per_second": progress.items / max(progress.training_seconds, 1e-9),
                "seconds": self.clock.seconds(),
                "lr": plain,
            }
        )

    def _save_best(self) -> None:
        with self.learner.with_best():
            self.keeper.save_model(self.job.module, self.job.annotations)

    def _write_checkpoint(self) -> None:
        """Write a checkpoint; all processes take part."""
        self.is_checkpoint_due = False
        if self.run is None:
            return
        states = {name: state[None] for name, state in sorted(generator_states().items())}
        generators = self.processes.gather(list(states.values()), 0)
        carried = self.processes.gather(list(self.job.state_tensors()), 1)
        if generators is None or carried is None:
            return
        self.progress.seconds = self.clock.seconds()
        tensors = {
            **self.learner.tensors(),
            **grouped("carried", {str(place): tensor for place, tensor in enumerate(carried)}),
            **grouped("generators", dict(zip(states, generators, strict=True))),
        }
        self.keeper.write_checkpoint(TrainingCheckpoint(self.progress, tensors, text_of(self.rows)))


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise RunError(f"the loss became {loss} at step {step}; a smaller --lr or --clip may help")
    return loss
