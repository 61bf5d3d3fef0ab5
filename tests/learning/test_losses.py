import numpy as np
import pytest
import torch

from grave_cli.learning.losses import GraveLoss

EVEN = (1.0, 1.0, 1.0)


def logits_of(targets: torch.Tensor, certainty: float) -> torch.Tensor:
    return (targets * 2 - 1) * certainty


@pytest.fixture
def targets() -> torch.Tensor:
    return (torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.7).float()


@pytest.fixture
def everywhere() -> torch.Tensor:
    return torch.ones(2, 1, 16, 16)


@pytest.mark.parametrize("bce_weight", [0.0, 0.5, 1.0])
def test_right_answers_cost_nothing_and_wrong_ones_a_lot(
    targets: torch.Tensor, everywhere: torch.Tensor, bce_weight: float
) -> None:
    loss = GraveLoss(bce_weight, EVEN)
    assert loss(logits_of(targets, 20), targets, everywhere) < 1e-3
    assert loss(logits_of(1 - targets, 20), targets, everywhere) > 0.9


def test_unscored_pixels_do_not_count(targets: torch.Tensor, everywhere: torch.Tensor) -> None:
    loss = GraveLoss(0.5, EVEN)
    scored = everywhere.clone()
    scored[..., 8:] = 0
    right = logits_of(targets, 3.0)
    wrong = right.clone()
    wrong[..., 8:] *= -1
    assert loss(right, targets, scored) == loss(wrong, targets, scored)
    assert loss(right, targets, everywhere) < loss(wrong, targets, everywhere)


def test_a_batch_without_scored_pixels_has_a_finite_loss(
    targets: torch.Tensor, everywhere: torch.Tensor
) -> None:
    logits = torch.randn_like(targets, requires_grad=True)
    loss = GraveLoss(0.5, EVEN)(logits, targets, everywhere * 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def losses_by_channel(logits: np.ndarray, truth: np.ndarray, bce_weight: float) -> np.ndarray:
    """The formula of the docstring in plain NumPy, for two chips that are scored everywhere."""
    probability = 1 / (1 + np.exp(-logits))
    of_truth = np.where(truth == 1, probability, 1 - probability)
    cross_entropy = -np.log(of_truth).mean((0, 2, 3))
    common = 2 * (probability * truth).sum((0, 2, 3)) + 1
    dice = common / (probability.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
    return bce_weight * cross_entropy + (1 - bce_weight) * (1 - dice)


@pytest.mark.parametrize("bce_weight", [0.0, 0.3, 1.0])
def test_channel_weights_are_shares(
    targets: torch.Tensor, everywhere: torch.Tensor, bce_weight: float
) -> None:
    logits = torch.randn(targets.shape, generator=torch.Generator().manual_seed(1))
    body, border, contact = losses_by_channel(logits.numpy(), targets.numpy(), bce_weight)
    mixed = GraveLoss(bce_weight, (2.0, 1.0, 1.0))(logits, targets, everywhere)
    assert float(mixed) == pytest.approx((2 * body + border + contact) / 4, rel=1e-5)


def test_the_soft_dice_follows_its_formula(everywhere: torch.Tensor) -> None:
    probability, truth = torch.full((2, 3, 16, 16), 0.25), torch.ones(2, 3, 16, 16)
    pixels = 2 * 16 * 16
    expected = 1 - (2 * 0.25 * pixels + 1) / (0.25 * pixels + pixels + 1)
    loss = GraveLoss(0.0, EVEN)(torch.logit(probability), truth, everywhere)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_focal_term_reduces_the_weight_of_confident_pixels(
    targets: torch.Tensor, everywhere: torch.Tensor
) -> None:
    focused = GraveLoss(1.0, EVEN, focal_gamma=2.0)
    for certainty in (3.0, -3.0):
        missing = 1 / (1 + np.exp(certainty))  # 1 - probability of the true class
        expected = missing**2 * -np.log(1 - missing)
        loss = focused(logits_of(targets, certainty), targets, everywhere)
        assert float(loss) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("gamma", [0.01, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("certainty", [15.0, 25.0, 200.0])
def test_the_focal_term_has_a_finite_slope_where_a_pixel_is_quite_sure(
    targets: torch.Tensor, everywhere: torch.Tensor, gamma: float, certainty: float
) -> None:
    logits = logits_of(targets, certainty).requires_grad_()
    GraveLoss(1.0, EVEN, focal_gamma=gamma)(logits, targets, everywhere).backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
