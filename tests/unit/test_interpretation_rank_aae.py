"""RankAAE: its losses against their formulas, and what it learns on made-up sites."""

import numpy as np
import pytest
import torch
from interpretation_data import made_up_sites

from xanesflow.interpretation.rank_aae import losses, train_axes
from xanesflow.interpretation.rank_aae.judge_axes import axis_scores, best_seed, classes_by, thresholds_of
from xanesflow.interpretation.rank_aae.networks import AXES, RankAae, turned_around
from xanesflow.interpretation.rank_aae.train_axes import RankAaePlan, decode, encode, train_rank_aae
from xanesflow.interpretation.rank_aae.train_seed import drawn_axes, resample
from xanesflow.interpretation.views import see


def test_the_rank_loss_is_its_formula(monkeypatch):
    monkeypatch.setattr(losses, "PARTNERS", 40)
    rng = np.random.default_rng(0)
    axes, descriptors = rng.normal(size=(6, AXES)), rng.normal(size=(6, 2))
    descriptors[4, 1], descriptors[5, 0] = np.nan, descriptors[0, 0]
    tensors = [torch.from_numpy(each.astype(np.float32)) for each in (axes, descriptors)]
    found = float(losses.rank_loss(*tensors, torch.Generator().manual_seed(1)))
    partner = torch.randint(1, 6, (6, 40), generator=torch.Generator().manual_seed(1)).numpy()
    right, wrong = {0: [], 1: []}, {0: [], 1: []}
    for i in range(6):
        for j in (partner[i] + i) % 6:
            for k in range(2):
                difference = descriptors[i, k] - descriptors[j, k]
                if np.isfinite(difference) and difference:
                    s = (axes[i, k] - axes[j, k]) * np.sign(difference)
                    (right if s > 0 else wrong)[k].append(s)
    total = sum(len(wrong[k]) / max(len(right[k]), len(wrong[k])) * sum(right[k]) + sum(wrong[k]) for k in range(2))
    assert found == pytest.approx(-total / sum(len(each[k]) for each in (right, wrong) for k in range(2)), rel=1e-5)


def test_the_adversarial_gradient_is_turned_around_for_the_encoder_alone():
    axes = torch.randn(8, AXES, requires_grad=True)
    turned = turned_around(axes, 0.5)
    assert torch.equal(turned, axes)
    assert torch.equal(torch.autograd.grad((turned**2).sum(), axes)[0], -0.5 * 2 * axes)


def test_the_discriminator_learns_to_tell_correlated_axes_from_independent_ones():
    torch.manual_seed(0)
    net, generator = RankAae(), torch.Generator().manual_seed(0)
    net.encoder = torch.nn.Identity()
    optimiser = torch.optim.AdamW(net.discriminator.parameters(), lr=3e-3)
    found = []
    for _ in range(150):
        axes = torch.randn((256, 1), generator=generator).expand(-1, AXES)  # each normal, and all the same
        loss = losses.adversarial_loss(net, axes, 0.5, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    guessing = 2 * np.log(2)
    assert np.mean(found[-20:]) < 0.5 * guessing


def test_a_common_factor_costs_little_in_the_reconstruction():
    class Net:
        encoder = staticmethod(lambda x: x)
        decoder = staticmethod(lambda x: 1.2 * x)

    x = torch.rand(5, 256) + 0.5
    assert float(losses.reconstruction_loss(Net, x, x)) == pytest.approx(0.1 * 0.2**2, rel=1e-4)


def test_axes_rank_what_they_are_told_to_and_the_same_seed_gives_the_same_network():
    data = made_up_sites(240)
    spectra = resample(see(data.spectra, "whole"))
    values = data.values[:, [0, 1, 3, 5, 6]]  # oxidation state the same everywhere, ocn not known
    plan = RankAaePlan(epochs=100, decoder_epochs=60, batch=51)
    rows, test = data.rows("train"), data.rows("test")
    net = train_rank_aae(spectra[rows], values[rows], seed=3, plan=plan)
    axes = encode(net, spectra)
    error = float(np.abs(decode(net, axes) - spectra)[test].mean())
    thresholds = thresholds_of(axes[rows, 1], values[rows, 1])
    scores = axis_scores(axes[test], values[test], error, thresholds)
    assert scores.spearman[1] > 0.7 and scores.spearman[3] > 0.85 and scores.f1 > 0.65
    assert np.isnan(scores.spearman[0]) and np.isnan(scores.spearman[2]) and error < 0.08
    short = RankAaePlan(epochs=2, decoder_epochs=1, batch=51)
    one, other = (train_rank_aae(spectra[rows], values[rows], seed=3, plan=short) for _ in range(2))
    assert np.array_equal(encode(one, spectra), encode(other, spectra))
    drawn = drawn_axes(axes[test], spectra[test], lambda z: decode(net, z))
    assert drawn["decoded"].shape == drawn["real"].shape == (AXES, 5, 256)
    assert np.isfinite(drawn["real"]).all()


def test_the_decoder_is_fitted_to_the_axes_as_it_is_used_and_the_encoder_stays():
    """Batch norm's means and variances are those of the training before, whatever batch comes."""
    data = made_up_sites(120)
    x = torch.from_numpy(resample(see(data.spectra, "whole")).astype(np.float32))
    torch.manual_seed(0)
    net = RankAae()
    net.decoder(net.encoder(x))  # the means and variances of one batch
    before = {name: value.clone() for name, value in net.state_dict().items()}
    axes = encode(net, x.numpy())
    errors = [np.abs(decode(net, axes) - x.numpy()).mean()]
    plan = RankAaePlan(decoder_epochs=40, batch=120)
    train_axes._train_decoder(net, x, plan, torch.Generator().manual_seed(0))
    errors.append(np.abs(decode(net, axes) - x.numpy()).mean())
    same = {name for name, value in net.state_dict().items() if torch.equal(value, before[name])}
    assert {name for name in before if "running" in name or "encoder" in name} <= same
    assert {name for name in before if name.startswith("decoder") and name.endswith("weight")}.isdisjoint(same)
    assert errors[1] < 0.5 * errors[0] and not net.decoder.training


def test_thresholds_and_the_best_seed():
    axis = np.linspace(-1, 1, 90)
    cn = np.repeat([4.0, 5.0, 6.0], 30)
    assert (classes_by(axis, thresholds_of(axis, cn)) == cn).mean() > 0.95
    assert best_seed(np.array([[0.7, 0.8, -0.6, -0.04], [0.8, 0.9, -0.5, -0.04], [0.6, 0.9, -0.9, -0.05]])) == 1
    assert best_seed(np.array([[0.7, np.nan, -0.6, -0.04]])) == 0
