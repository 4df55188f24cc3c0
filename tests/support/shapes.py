"""Ventricles drawn from formulas, whose volumes are known."""

from __future__ import annotations

import numpy as np

from echo_rt.segmentation import GridMap, Segmentation


def half_ellipsoid(length: float, radius: float, points: int = 400) -> np.ndarray:
    """Contour (N, 2) of a half ellipsoid, apex up at (0, -length), mitral plane at y = 0; volume 2/3 pi radius²
    length."""
    angle = np.linspace(np.pi, 0, points)
    return np.stack([radius * np.cos(angle), -length * np.sin(angle)], axis=1)


def labels_of(
    size: tuple[int, int],
    length: float,
    radius: float,
    wall: float,
    centre: tuple[float, float],
    angle_deg: float = 0.0,
    atrium: bool = True,
    mirror: bool = False,
) -> np.ndarray:
    """Labels (H, W) of a half-ellipsoid ventricle in pixels: each pixel has the label of what lies at its centre.

    (cv2.fillPoly would also fill every pixel that the outline touches, and so draw all shapes half a pixel too large.)
    """
    turn = np.deg2rad(angle_deg)
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    x, y = x - centre[0], y - centre[1]
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    if mirror:
        u = -u
    labels = np.zeros(size, np.uint8)
    labels[((u / (radius + wall)) ** 2 + (v / (length + wall)) ** 2 <= 1) & (v <= 0)] = 2
    if atrium:
        labels[((u / (0.95 * radius)) ** 2 + (v / radius - 0.9) ** 2 <= 1) & (v > 0)] = 3
    labels[((u / radius) ** 2 + (v / length) ** 2 <= 1) & (v <= 0)] = 1
    return labels


def segmentation_of(labels: np.ndarray) -> Segmentation:
    """As an engine sure of itself would give it, on the image's own grid."""
    size = (labels.shape[0], labels.shape[1])
    one_hot = (np.arange(4)[:, None, None] == labels).astype(np.float32)
    return Segmentation(one_hot, labels, GridMap.letterbox(size, size))


def ventricle(volume_factor: float = 1.0, size: tuple[int, int] = (240, 240), **changes) -> Segmentation:
    """A plain upright ventricle whose volume is `volume_factor` times that of the largest one; length and shape
    kept."""
    arguments = {"length": 120, "radius": 40 * np.sqrt(volume_factor), "wall": 14, "centre": (120.0, 150.0), **changes}
    return segmentation_of(labels_of(size, **arguments))
