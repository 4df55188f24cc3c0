"""Pictures in which no ventricle can be measured, made from those in which one can.

Without these a network that has seen nothing but hearts finds one in everything.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt_train.changes import annotated

Picture = NDArray[np.float32]
Rng = np.random.Generator

LEFT_OF_CAVITY = 0.35
"""Share of the cavity that may still be seen where the ventricle lies outside of the sector: too little to measure."""


def without_heart(
    image: NDArray[np.uint8], covered: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], bool]:
    """A picture without a heart, or without a view of it that can be measured.

    Args:
        image: (h, w) uint8, a picture with a heart.
        covered: (h, w, classes) uint8, where its parts are.
        rng: draws the kind and its strength.

    Returns:
        The picture (h, w) uint8, and whether it shows nothing of a heart: its mask is then empty, else unknown.
    """
    kind, empty = _KINDS[int(rng.choice(len(_KINDS), p=_CHANCES))]
    return np.clip(kind(image.astype(np.float32), covered[..., 0], rng), 0, 255).astype(np.uint8), empty


def _blank(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    blank = np.full(image.shape, rng.uniform(0, 255) if rng.random() < 0.3 else 0.0, np.float32)
    return annotated(blank, rng, lines=int(rng.integers(0, 8))) if rng.random() < 0.5 else blank


def _noise(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    return rng.uniform(0, 255, image.shape).astype(np.float32)


def _speckle(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    speckle = np.hypot(*(cv2.GaussianBlur(rng.normal(size=image.shape), (0, 0), rng.uniform(1, 4)) for _ in range(2)))
    field = speckle / speckle.max() * rng.uniform(60, 300)
    # In the sector of the picture as often as all over it.
    return np.asarray(np.where(image > 0, field, 0) if rng.random() < 0.5 else field, np.float32)


def _shuffled(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    height, width = image.shape[0] // 8, image.shape[1] // 8
    tiles = image.reshape(8, height, 8, width).swapaxes(1, 2).reshape(64, height, width)
    return tiles[rng.permutation(64)].reshape(8, 8, height, width).swapaxes(1, 2).reshape(image.shape)


def _smeared(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.08, 0.2) * max(image.shape)).astype(np.float32)


def _upside_down(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    return image[::-1].copy()


def _turned(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    centre = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D(centre, rng.uniform(70, 290), rng.uniform(0.6, 1.2))
    return cv2.warpAffine(image, turn, image.shape[::-1], flags=cv2.INTER_LINEAR).astype(np.float32)


def _cut(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    """A part of the picture, enlarged, that holds little of the cavity: atria, an apex, the right heart, lung."""
    height, width = image.shape
    for _ in range(20):
        zoom = rng.uniform(1.5, 3.0)
        h, w = int(height / zoom), int(width / zoom)
        y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
        if cavity[y : y + h, x : x + w].sum() < LEFT_OF_CAVITY * cavity.sum():
            part = image[y : y + h, x : x + w]
            if part.mean() > 0.3 * image.mean():
                return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return _turned(image, cavity, rng)


def _out_of_sector(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    """The heart moved behind its own sector, until little of the cavity is seen."""
    height, width = image.shape
    sector = cv2.morphologyEx((image > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    angle = rng.uniform(0, 2 * np.pi)
    for reach in np.arange(0.15, 0.9, 0.05):
        move = np.array([[1, 0, reach * width * np.cos(angle)], [0, 1, reach * height * np.sin(angle)]])
        seen = cv2.warpAffine(cavity, move, (width, height)) * sector
        if seen.sum() < LEFT_OF_CAVITY * max(1, cavity.sum()):
            # Black where nothing is known: mirrored tissue would bring the cavity back.
            return np.asarray(cv2.warpAffine(image, move, (width, height)) * sector, np.float32)
    return _smeared(image, cavity, rng)


def _m_mode(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    """One line of the picture over time: layers that rise and fall together with the beat."""
    height, width = image.shape
    line = image[:, int(rng.uniform(0.3, 0.7) * width)]
    t: NDArray[np.float64] = np.arange(width) / width * rng.uniform(2, 9)
    beat = np.clip(np.sin(2 * np.pi * t) + 0.3 * np.sin(4 * np.pi * t), -1, 1)
    depth: NDArray[np.float64] = np.arange(height)[:, None] / height
    moves = rng.uniform(0.01, 0.06) * beat[None, :] * np.exp(-(((depth - rng.uniform(0.3, 0.7)) / 0.2) ** 2))
    rows = ((depth + moves) * height).astype(np.float32)
    strip = cv2.remap(line[:, None].copy(), np.zeros_like(rows), rows, cv2.INTER_LINEAR)
    return _under_picture(np.asarray(strip, np.float32), image, rng)


def _spectrum(image: Picture, cavity: NDArray[np.uint8], rng: Rng) -> Picture:
    """A spectral Doppler strip: envelopes of the flow in each beat on both sides of a baseline."""
    height, width = image.shape
    t: NDArray[np.float64] = np.arange(width) / width * rng.uniform(2, 7) + rng.uniform()
    base = rng.uniform(0.3, 0.7) * height
    row = np.arange(height)[:, None] - base
    strip = np.zeros(image.shape)
    for sign in (-1, 1):
        peak = rng.uniform(0.1, 0.6) * height * np.clip(np.sin(2 * np.pi * t + rng.uniform(0, 6)), 0, 1) ** 0.7
        inside = (sign * row > 0) & (sign * row < peak)
        strip += np.where(inside, rng.uniform(60, 200) * (0.4 + np.abs(row) / (peak + 1)), 0)
    strip *= rng.gamma(1.5, 0.7, image.shape)
    strip[int(base)] = 200
    return _under_picture(np.clip(strip, 0, 255).astype(np.float32), image, rng)


def _under_picture(strip: Picture, image: Picture, rng: Rng) -> Picture:
    """The strip alone, or with the picture that it was taken from small above it, and with text."""
    height, width = strip.shape
    if rng.random() < 0.6:
        rows = int(rng.uniform(0.2, 0.4) * height)
        small = cv2.resize(image, (int(width * rows / height), rows), interpolation=cv2.INTER_AREA)
        lower = cv2.resize(strip, (width, height - rows), interpolation=cv2.INTER_AREA)
        strip = np.zeros_like(strip)
        x = int(rng.uniform(0, width - small.shape[1]))
        strip[:rows, x : x + small.shape[1]], strip[rows:] = small, lower
    return annotated(strip, rng, ecg=bool(rng.random() < 0.5))


_DRAWN: tuple[tuple[float, bool, Callable[[Picture, NDArray[np.uint8], Rng], Picture]], ...] = (
    (1, True, _blank),
    (1, True, _noise),
    (1.5, True, _speckle),
    (1, True, _shuffled),
    (1, True, _smeared),
    (5, False, _upside_down),
    (4, False, _turned),
    (3, False, _cut),
    (2, False, _out_of_sector),
    (1.5, True, _m_mode),
    (1, True, _spectrum),
)
"""How often each kind is drawn, whether nothing of a heart is in it, and what draws it."""

_KINDS = [(kind, empty) for _, empty, kind in _DRAWN]
_CHANCES = np.array([chance for chance, _, _ in _DRAWN]) / sum(chance for chance, _, _ in _DRAWN)
