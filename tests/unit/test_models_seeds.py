"""Several seeds of a model, and the settings of a training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_models_training import arrays, small, train_network

from xanesflow.core.errors import XanesflowError
from xanesflow.models.network import training_state
from xanesflow.models.network.train import train_networks
from xanesflow.models.network.training_state import TrainingRun

TRAIN, VAL = arrays(70), arrays(15, seed=1)
ALL = {"dropout": 0.3, "patience": 2, "max_epochs": 25, "widths": (12, 8), "learning_rate": 3e-2}
CHOICES = [
    {},
    {"precision": "bfloat16"},
    {"schedule": "one_cycle", "average": 0.9, "weight_decay": 0.1, "output": "difference"},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_a_seed_learns_the_same_alone_and_beside_others_that_stop_earlier_or_later(choice):
    settings = small(**ALL, **choice)
    alone = [train_network(TRAIN, VAL, replace(settings, seed=seed)) for seed in (0, 5, 7)]
    if not choice:
        assert len({len(one.epochs) for one in alone}) > 1, "nothing is tested if all stop at once"
    for threads in (1, 2):
        together = train_networks(TRAIN, VAL, replace(settings, threads=threads), [0, 5, 7])
        for one, beside in zip(alone, together, strict=True):
            assert (one.best_epoch, len(one.epochs)) == (beside.best_epoch, len(beside.epochs))
            for a, b in zip(one.network.state_dict().values(), beside.network.state_dict().values(), strict=True):
                assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
        assert not torch.equal(together[0].network.output.weight, together[1].network.output.weight)


def run_of(settings):
    return TrainingRun([torch.from_numpy(array) for array in (*TRAIN, *VAL)], settings, settings.learning_rate)


def test_bfloat16_rounds_the_factors_of_products_and_nothing_else():
    exact, rounded = (run_of(small(precision=precision)) for precision in ("float32", "bfloat16"))
    losses = [run.loss(torch.arange(20)) for run in (exact, rounded)]
    assert 0 < (losses[0] - losses[1]).abs() < 0.05
    for loss in losses:
        loss.backward()
    for a, b in zip(exact.network.parameters(), rounded.network.parameters(), strict=True):
        assert a.requires_grad == b.requires_grad and b.dtype == torch.float32
        if a.requires_grad:
            assert (a.grad - b.grad).norm() <= 0.05 * a.grad.norm() + 1e-4


def test_where_one_of_several_threads_fails_the_others_end_too():
    begun = []
    with pytest.raises(XanesflowError, match="The loss became nan"):
        train_networks(
            (TRAIN[0], np.where(TRAIN[0][:, :1] > 1, np.float32(np.nan), TRAIN[1])),
            VAL,
            small(threads=2, max_epochs=100_000, patience=100_000),
            [0, 1],
            lambda epoch, rate: begun.append(epoch),
        )
    assert len(begun) < 100


def test_a_step_with_weight_decay_is_that_of_adamw():
    """By hand from arXiv 1711.05101, algorithm 2: the first step of Adam is the sign of the gradient."""
    settings = small(batch_size=70, weight_decay=0.5, learning_rate=1e-2, widths=(3,))
    run = run_of(settings)
    before = run.network.output.weight.detach().clone()
    run.one_epoch()
    step = run.network.output.weight.detach() - before * (1 - 1e-2 * 0.5)
    assert torch.allclose(step.abs(), torch.full_like(step, 1e-2), rtol=1e-2)


def test_an_average_of_weights_is_the_running_mean_of_the_steps():
    settings = small(batch_size=35, average=0.9, max_epochs=1, widths=(3,))
    run = run_of(settings)
    mean, seen = run.network.output.bias.detach().clone(), []
    original = run.average.update_parameters
    run.average.update_parameters = lambda now: (seen.append(now.output.bias.detach().clone()), original(now))
    run.one_epoch()
    for step, now in enumerate(seen):
        share = min(0.9, (1 + step) / (10 + step))
        mean = share * mean + (1 - share) * now
    assert len(seen) == 2
    assert torch.allclose(run.average.module.output.bias, mean, atol=1e-7)
    assert torch.equal(run.best_weights["output.bias"], run.average.module.output.bias)


def test_a_network_of_the_difference_starts_near_the_mean_training_spectrum_and_goes_below_zero():
    train = TRAIN[0], TRAIN[1] - 2
    trained = train_network(train, (VAL[0], VAL[1] - 2), small(output="difference", max_epochs=40, widths=(32, 32)))
    assert torch.allclose(trained.network.mean_spectrum, torch.from_numpy(train[1].mean(axis=0)), atol=1e-6)
    with torch.no_grad():
        outputs = trained.network(torch.from_numpy(VAL[0])).numpy()
    assert outputs.min() < 0
    assert np.mean((outputs - VAL[1] + 2) ** 2) < 0.2 * np.var(VAL[1])


def test_a_training_that_finds_no_memory_goes_on_with_half_the_batch_and_says_so(monkeypatch, caplog):
    original = training_state.TrainingRun.one_epoch
    tried = []

    def scarce(self):
        tried.append(self.settings.batch_size)
        if self.settings.batch_size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self)

    monkeypatch.setattr(training_state.TrainingRun, "one_epoch", scarce)
    trained = train_network(TRAIN, VAL, small(batch_size=32, max_epochs=2))
    assert tried == [32, 16, 8, 8]
    assert trained.settings.batch_size == 8
    assert "No room for batches of 32 spectra on cpu: starting again with batches of 16" in caplog.text
    with pytest.raises(XanesflowError, match=r"does not suffice for batches of 3 spectra; train narrower layers"):
        full = lambda self: (_ for _ in ()).throw(torch.OutOfMemoryError())  # noqa: E731
        monkeypatch.setattr(training_state.TrainingRun, "one_epoch", full)
        train_network(TRAIN, VAL, small(batch_size=6))


def test_a_constant_spectrum_and_twelve_spectra_are_learned_without_complaint():
    features, spectra = arrays(12)
    spectra[:] = 0.5
    trained = train_network((features, spectra), arrays(3, seed=1), small(max_epochs=3, learning_rate=None))
    with torch.no_grad():
        assert torch.isfinite(trained.network(torch.from_numpy(features))).all()
