"""Several seeds of a model trained at once, and what a training can be told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_models_training import arrays, small

from xanesflow.core.errors import XanesflowError
from xanesflow.models.network import perceptron as network_module
from xanesflow.models.network import training_state
from xanesflow.models.network.backpropagation import Backpropagation
from xanesflow.models.network.perceptron import SpectrumNetwork
from xanesflow.models.network.seeds import SeedNetworks
from xanesflow.models.network.train import train_network, train_networks
from xanesflow.models.network.training_state import TrainingRun, one_cycle

TRAIN, VAL = arrays(70), arrays(15, seed=1)
ALL = {"dropout": 0.3, "patience": 2, "max_epochs": 25, "widths": (12, 8), "learning_rate": 3e-2}
CHOICES = [
    {},
    {"precision": "bfloat16"},
    {"schedule": "one_cycle", "average": 0.9, "weight_decay": 0.1, "output": "difference"},
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("choice", CHOICES)
def test_a_seed_learns_the_same_alone_and_beside_others_that_stop_earlier_or_later(choice, threads):
    settings = small(**ALL, **choice)
    together = train_networks(TRAIN, VAL, replace(settings, threads=threads), [0, 5, 7])
    alone = [train_network(TRAIN, VAL, replace(settings, seed=seed)) for seed in (0, 5, 7)]
    if not choice:
        assert len({len(one.epochs) for one in alone}) > 1, "nothing is tested if all stop at once"
    for one, beside in zip(alone, together, strict=True):
        assert (one.best_epoch, len(one.epochs)) == (beside.best_epoch, len(beside.epochs))
        for a, b in zip(one.network.state_dict().values(), beside.network.state_dict().values(), strict=True):
            assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)
    assert not torch.equal(together[0].network.output.weight, together[1].network.output.weight)


def networks_of(output, dropout=0.0, keep_statistics=False):
    """Three networks whose running means and variances have seen something."""
    torch.manual_seed(3)
    networks = [SpectrumNetwork(4, (6, 3), 5, dropout, output).train() for _ in range(3)]
    for network in networks:
        for _ in range(5):
            network(torch.randn(16, 4) * 2 + 1)
        if network.mean_spectrum is not None:
            network.mean_spectrum.copy_(torch.rand(5))
        network.keep_statistics = keep_statistics
    return networks


def test_members_predict_what_each_network_does():
    networks, features = networks_of("softplus"), torch.randn(9, 3, 4)
    members = SeedNetworks(networks)
    with torch.no_grad():
        outputs = members(features)
        for k, network in enumerate(networks):
            assert torch.allclose(outputs[:, k], network.eval()(features[:, k]), atol=1e-6)
        again = SpectrumNetwork(4, (6, 3), 5, 0.0).eval()
        again.load_state_dict(members.networks()[1])
        assert torch.allclose(again(features[:, 1]), outputs[:, 1], atol=1e-6)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(
    ("output", "keep_statistics"), [("softplus", False), ("difference", False), ("softplus", True)]
)
def test_losses_gradients_and_statistics_are_those_of_pytorchs_differentiation(
    output, keep_statistics, dropout, alone, monkeypatch
):
    networks = networks_of(output, dropout, keep_statistics)[: 1 if alone else 3]
    features, spectra = torch.randn(9, len(networks), 4), torch.rand(9, len(networks), 5)
    members = SeedNetworks(networks)
    learning = Backpropagation(members)
    learning.losses_and_gradients(
        torch.randn_like(features), spectra, [torch.Generator() for _ in networks]
    )  # leaves nothing behind
    members.load_state_dict(SeedNetworks(networks).state_dict())
    losses = learning.losses_and_gradients(
        features, spectra, [torch.Generator().manual_seed(k) for k in range(len(networks))]
    )
    for k, network in enumerate(networks):
        masks = iter(learning._masks(9, [torch.Generator().manual_seed(k)]))
        monkeypatch.setattr(network_module, "keep_mask", lambda *given, masks=masks: next(masks)[:, 0])
        loss = torch.nn.functional.mse_loss(network.train()(features[:, k]), spectra[:, k])
        loss.backward()
        assert torch.allclose(losses[k], loss, rtol=1e-5)
        for number, layer in enumerate(network.linears()):
            assert torch.allclose(learning.gradients[members.weights[number]][k], layer.weight.grad, atol=1e-6)
        assert torch.allclose(learning.gradients[members.bias][k], network.output.bias.grad, atol=1e-6)
        for number, norm in enumerate(network.norms()):
            assert torch.allclose(learning.gradients[members.gains[number]][k], norm.weight.grad, atol=1e-6)
            assert torch.allclose(learning.gradients[members.shifts[number]][k], norm.bias.grad, atol=1e-6)
            own = members.networks()[k]
            assert torch.allclose(own[f"hidden.{number}.norm.running_var"], norm.running_var, atol=1e-6)
            # The members' running mean is without the bias, which is nothing before a normalisation.
            bias = network.linears()[number].bias.detach()
            assert torch.allclose(own[f"hidden.{number}.norm.running_mean"] + bias, norm.running_mean, atol=1e-6)


def test_bfloat16_rounds_the_factors_of_products_and_nothing_else():
    torch.manual_seed(0)
    networks = [SpectrumNetwork(64, (32,), 5, 0.0) for _ in range(2)]
    features, spectra = torch.randn(20, 2, 64), torch.rand(20, 2, 5)
    for k in (1, 2):
        exact, rounded = (Backpropagation(SeedNetworks(networks[:k], p)) for p in ("float32", "bfloat16"))
        losses = [each.losses_and_gradients(features[:, :k], spectra[:, :k], []) for each in (exact, rounded)]
        assert 0 < (losses[0] - losses[1]).abs().max() < 0.05
        for a, b in zip(exact.gradients.values(), rounded.gradients.values(), strict=True):
            assert b.dtype == torch.float32
            assert (a - b).norm() <= 0.05 * a.norm() + 1e-4


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
    run = TrainingRun([torch.from_numpy(array) for array in (*TRAIN, *VAL)], settings, [0])
    run.find_rate()
    before = run.networks.weights[1].detach().clone()
    run.one_epoch()
    step = run.networks.weights[1].detach() - before * (1 - 1e-2 * 0.5)
    assert torch.allclose(step.abs(), torch.full_like(step, 1e-2), rtol=1e-2)


def test_the_cycle_of_the_rate_is_pytorchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2.0, total_steps=51)
    for step in range(50):
        # PyTorch counts the rise to the step before 30 %.
        assert one_cycle(step / 50, rise=(0.3 * 51 - 1) / 50) * 2.0 == pytest.approx(
            optimizer.param_groups[0]["lr"], rel=1e-6
        )
        optimizer.step()
        schedule.step()


def test_an_average_of_weights_is_the_running_mean_of_the_steps():
    settings = small(batch_size=35, average=0.9, max_epochs=1, widths=(3,))
    run = TrainingRun([torch.from_numpy(array) for array in (*TRAIN, *VAL)], settings, [0])
    run.find_rate()
    mean, seen = run.networks.bias.detach().clone(), []
    original = run._add_to_average
    run._add_to_average = lambda step: (seen.append(run.networks.bias.detach().clone()), original(step))
    run.one_epoch()
    for step, now in enumerate(seen):
        share = min(0.9, (1 + step) / (10 + step))
        mean = share * mean + (1 - share) * now
    assert len(seen) == 2
    assert torch.allclose(run.average.bias, mean, atol=1e-7)
    assert torch.equal(run.best_weights[0]["output.bias"], run.average.bias[0])


def test_a_network_of_the_difference_starts_near_the_mean_training_spectrum_and_goes_below_zero():
    train = TRAIN[0], TRAIN[1] - 2
    trained = train_network(train, (VAL[0], VAL[1] - 2), small(output="difference", max_epochs=40, widths=(32, 32)))
    assert torch.allclose(trained.network.mean_spectrum, torch.from_numpy(train[1].mean(axis=0)), atol=1e-6)
    with torch.no_grad():
        outputs = trained.network(torch.from_numpy(VAL[0])).numpy()
    assert outputs.min() < 0
    assert np.mean((outputs - VAL[1] + 2) ** 2) < 0.2 * np.var(VAL[1])


def test_a_training_that_finds_no_memory_goes_on_with_half_the_batch_and_says_so(monkeypatch, caplog):
    original = training_state.TrainingRun._one_pass
    tried = []

    def scarce(self):
        tried.append(self.settings.batch_size)
        if self.settings.batch_size > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self)

    monkeypatch.setattr(training_state.TrainingRun, "_one_pass", scarce)
    trained = train_network(TRAIN, VAL, small(batch_size=32, max_epochs=2))
    assert tried == [32, 16, 8, 8]
    assert trained.settings.batch_size == 8
    assert "No room for batches of 32 spectra on cpu: starting again with batches of 16" in caplog.text
    with pytest.raises(XanesflowError, match=r"does not suffice for batches of 3 spectra; train fewer seeds"):
        full = lambda self: (_ for _ in ()).throw(torch.OutOfMemoryError())  # noqa: E731
        monkeypatch.setattr(training_state.TrainingRun, "_one_pass", full)
        train_network(TRAIN, VAL, small(batch_size=6))


def test_a_constant_spectrum_and_twelve_spectra_are_learned_without_complaint():
    features, spectra = arrays(12)
    spectra[:] = 0.5
    trained = train_network((features, spectra), arrays(3, seed=1), small(max_epochs=3, learning_rate=None))
    with torch.no_grad():
        assert torch.isfinite(trained.network(torch.from_numpy(features))).all()
