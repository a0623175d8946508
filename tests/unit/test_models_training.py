"""The network, the range test and the training loop."""

import itertools

import numpy as np
import pytest
import torch
from sentences import tells

from xanesflow.config.training_settings import TrainingSettings
from xanesflow.core.errors import XanesflowError
from xanesflow.models.network.perceptron import SpectrumNetwork, keep_mask
from xanesflow.models.network.range_test import FALLBACK_RATE, range_test, suggest_rate
from xanesflow.models.network.train import train_networks
from xanesflow.models.network.training_state import batches


def arrays(n, d=4, k=5, seed=0):
    """Features and a positive, smooth function of them that any small network can learn."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d)).astype("f4")
    mix = np.random.default_rng(99).normal(size=(d, k))
    return features, np.log1p(np.exp(features @ mix)).astype("f4")


def small(**changes):
    return TrainingSettings(
        **{"widths": (32,), "batch_size": 16, "dropout": 0.0, "max_epochs": 30, "learning_rate": 1e-2, **changes}
    )


def train_network(train, val, settings, report=None, *, start=None):
    return train_networks(train, val, settings, [settings.seed], report, starts=None if start is None else [start])[0]


def same_weights(one, other):
    """Whether two trainings ended with the same weights, bit by bit."""
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_network_is_what_numpy_computes_from_its_weights():
    torch.manual_seed(1)
    network = SpectrumNetwork(4, (6, 3), 5, 0.5)
    features = torch.randn(9, 4)
    network.train()
    for _ in range(20):
        network(torch.randn(16, 4) * 3 + 1)  # so that the running statistics are not 0 and 1
    w = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    x = features.double().numpy()
    for layer in ("hidden.0", "hidden.1"):
        x = x @ w[f"{layer}.linear.weight"].T + w[f"{layer}.linear.bias"]
        x = (x - w[f"{layer}.norm.running_mean"]) / np.sqrt(w[f"{layer}.norm.running_var"] + 1e-5)
        x = x * w[f"{layer}.norm.weight"] + w[f"{layer}.norm.bias"]
        x = x / (1 + np.exp(-x))
    x = np.log1p(np.exp(x @ w["output.weight"].T + w["output.bias"]))
    with torch.no_grad():
        assert np.allclose(network.eval()(features).numpy(), x, rtol=1e-5, atol=1e-6)


def test_dropout_zeroes_its_share_keeps_the_mean_and_is_off_in_evaluation():
    torch.manual_seed(0)
    ones = torch.ones(400, 500)
    dropped = ones * keep_mask(ones, 0.3)
    assert torch.isclose(dropped.max(), torch.tensor(1 / 0.7))
    assert abs((dropped == 0).float().mean() - 0.3) < 0.01
    assert abs(dropped.mean() - 1) < 0.01
    network = SpectrumNetwork(4, (30,), 5, 0.3).eval()
    features = torch.randn(9, 4)
    assert torch.equal(network(features), network(features))
    network.train()
    assert not torch.equal(network(features), network(features))


@pytest.mark.parametrize(("n", "sizes"), [(33, [16, 17]), (34, [16, 16, 2]), (17, [17]), (2, [2]), (32, [16, 16])])
def test_each_row_comes_once_and_no_batch_has_a_single_one(n, sizes):
    drawn = batches(n, 16, torch.Generator())
    assert [len(batch) for batch in drawn] == sizes
    assert sorted(torch.cat(drawn).tolist()) == list(range(n))


def test_same_seed_same_weights_bit_by_bit_and_other_seed_others():
    first, again, other = (
        train_network(arrays(50), arrays(9, seed=1), small(max_epochs=4, dropout=0.5, learning_rate=None, seed=s))
        for s in (3, 3, 4)
    )
    assert same_weights(first, again)
    assert first.range_test == again.range_test
    assert not same_weights(first, other)


def test_training_leaves_random_state_and_threads_as_they_were():
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train_network(arrays(20), arrays(9, seed=1), small(max_epochs=1, threads=threads + 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_best_epoch_is_restored_and_training_stops_after_patience():
    val = arrays(40, seed=1)
    noise = arrays(40)[0], np.random.default_rng(5).uniform(0, 3, size=(40, 5)).astype("f4")  # overfits at once
    result = train_network(noise, val, small(max_epochs=300, patience=7, widths=(64,)))
    losses = [epoch.val_loss for epoch in result.epochs]
    assert result.best_epoch == int(np.argmin(losses)) + 1
    assert len(losses) == result.best_epoch + 7 < 300
    with torch.no_grad():
        outputs = result.network(torch.from_numpy(val[0])).numpy()
    assert np.isclose(np.mean((outputs - val[1]) ** 2), min(losses), rtol=1e-5)
    assert losses[-1] > min(losses)


def test_learnable_data_are_learned():
    train, val = arrays(600), arrays(200, seed=1)
    result = train_network(train, val, small(max_epochs=60, learning_rate=None, widths=(64, 64)))
    with torch.no_grad():
        outputs = result.network(torch.from_numpy(val[0])).numpy()
    baseline = np.median(((train[1].mean(axis=0) - val[1]) ** 2).mean(axis=1))
    assert baseline / np.median(((outputs - val[1]) ** 2).mean(axis=1)) > 50


def test_report_is_called_for_each_epoch_with_best_and_rate():
    seen = []
    train_network(arrays(20), arrays(5, seed=1), small(max_epochs=3), lambda epoch, rate: seen.append((epoch, rate)))
    assert [epoch.number for epoch, _ in seen] == [1, 2, 3]
    assert {rate for _, rate in seen} == {1e-2}
    assert all(epoch.best <= epoch.number for epoch, _ in seen)


def test_a_loss_that_is_no_number_names_epoch_rate_and_remedy():
    features, spectra = arrays(20)
    spectra[3, 2] = np.float32(3e38)
    with tells(match=r"epoch 1 of seed 0 with learning rate 0\.01; .* smaller `models.learning_rate`"):
        train_network((features, spectra), arrays(5, seed=1), small())


def test_cuda_that_is_not_there_is_told():
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is here")
    with pytest.raises(XanesflowError, match=r"models\.device is cuda"):
        train_network(arrays(20), arrays(5, seed=1), small(device="cuda"))


def test_suggestion_is_at_the_steepest_descent_over_log_rate():
    rates = tuple(np.geomspace(1e-8, 1, 100).tolist())
    losses = tuple((1 / (1 + np.exp(np.arange(100) - 60.0))).tolist())  # steepest at step 60
    assert suggest_rate(rates, losses) == (rates[60], True)
    ends = [9.0, 1.0, *losses[2:90], *[5.0] * 5, *[1.0] * 5]  # the start and a return after diverging do not count
    assert suggest_rate(rates, tuple(ends)) == (rates[60], True)
    assert suggest_rate(rates, tuple(range(100))) == (FALLBACK_RATE, False)
    assert suggest_rate(rates[:11], losses[:11]) == (FALLBACK_RATE, False)
    assert suggest_rate((), ()) == (FALLBACK_RATE, False)


def test_range_test_sweeps_and_leaves_the_network_alone():
    torch.manual_seed(0)
    network = SpectrumNetwork(4, (16,), 5, 0.0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    features, spectra = map(torch.from_numpy, arrays(64))

    def batches(sizes):
        for size in itertools.cycle(sizes):
            yield features, spectra * size

    tested = range_test(network, batches([1.0]))
    assert tested.rates[0] == pytest.approx(1e-8)
    assert np.allclose(np.diff(np.log10(tested.rates)), 8 / 99)
    assert tested.found and 1e-4 < tested.suggestion < 0.5
    # Batches that differ in size by a factor of six (errors by forty) do not pass for progress:
    assert 1e-4 < range_test(network, batches([1.0, 6.0, 6.0, 1.0, 1.0])).suggestion < 0.5
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_range_test_survives_a_loss_that_is_no_number():
    network = SpectrumNetwork(4, (16,), 5, 0.0)
    features, spectra = map(torch.from_numpy, arrays(64))
    tested = range_test(network, itertools.repeat((features, spectra * float("inf"))))
    assert (tested.suggestion, tested.found, tested.rates) == (FALLBACK_RATE, False, ())
