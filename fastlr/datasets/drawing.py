"""Drawn images of hand signs: they need neither network nor files, and are the same on each machine."""

import functools

import numpy as np

SIZE = 64  # height and width of every image
N_DRAWN = 205  # drawn images of each digit, as many as the photographs that the study takes of zero and of one
SEED = 2011_08927
# Thumb, index, middle, ring and little finger: those that are stretched out in the sign of 1, 2, ..., 9.
STRETCHED = {1: "i", 2: "im", 3: "tim", 4: "imrl", 5: "timrl", 6: "imr", 7: "iml", 8: "irl", 9: "mrl"}


@functools.lru_cache(maxsize=10)
def draw_digit(digit):
    """Drawn images of one sign, uint8 of shape (205, 64, 64), read-only.

    All of this is additions, products, quotients and roots, which IEEE 754 defines to the bit, so that every machine
    draws the same pixels: no exponential, no sine, no matrix product.
    """
    rng = np.random.Generator(np.random.PCG64([SEED, digit]))
    images = np.empty((N_DRAWN, SIZE, SIZE), dtype=np.uint8)
    for image in images:
        image[:] = np.rint(255 * np.clip(_draw_sign(digit, rng), 0, 1))
    images.flags.writeable = False
    return images


def _draw_sign(digit, rng):
    """One image: a lit background, over it a hand in some pose, over all of it noise."""

    def draw(low, high):
        return low + (high - low) * rng.random()

    v, u = np.mgrid[:SIZE, :SIZE] / (SIZE - 1) * 2 - 1
    dim = rng.random() < 0.15  # some photographs were taken in poor light
    light = 1 + draw(-0.12, 0.12) * u + draw(-0.12, 0.12) * v - (0.05 if dim else draw(0.1, 0.25)) * (u * u + v * v)
    image = (draw(0.55, 0.65) if dim else draw(0.8, 0.92)) + 0.03 * _texture(rng)
    skin = draw(0.35, 0.5)
    # The pose, with sine and cosine by way of the tangent of half the angle.
    tangent = draw(-0.1, 0.1)
    cosine, sine = (1 - tangent * tangent) / (1 + tangent * tangent), 2 * tangent / (1 + tangent * tangent)
    scale = 32 / draw(0.95, 1.25)
    x, y = u - draw(-0.18, 0.18), v - draw(0.1, 0.35)
    x, y = scale * (cosine * x + sine * y), scale * (cosine * y - sine * x)
    strokes = _ring_strokes() if digit == 0 else _finger_strokes(STRETCHED[digit], draw(0.6, 1.5))
    for stroke in strokes:
        ends = np.array(stroke[:4]) + 1.4 * (rng.random(4) - 0.5)
        distance = _capsule_distance(x, y, *ends.tolist(), *stroke[4:])
        # Skin is lighter in the middle of a finger, and its edge is dark.
        shade = skin * (1.06 - 0.3 * np.clip(1 + distance / 2.5, 0, 1))
        image += np.clip(0.5 - distance, 0, 1) * (shade - image)
    return image * light + 0.05 * (rng.random((SIZE, SIZE)) + rng.random((SIZE, SIZE)) - 1)


def _finger_strokes(stretched, spread):
    """Capsules (x0, y0, x1, y1, r0, r1) of a palm seen from the front, y downwards, one unit a pixel at scale one."""
    strokes = [(-1, 45, 0, 8, 6.5, 6.5), (1, 6, 0.5, -1, 8, 8.5)]
    folded = []
    fingers = [("l", -7, -0.35, 13), ("r", -2.5, -0.12, 17), ("m", 2, 0.04, 19), ("i", 6.5, 0.2, 17)]
    for name, foot, slope, length in fingers:
        if name in stretched:
            strokes.append((foot, -4, foot + spread * slope * length, -6 - length, 2.7, 1.9))
        else:
            folded.append((foot, -6, 0.8 * foot + 0.5, 0, 2.6, 2.4))
    strokes += folded
    if "t" in stretched:
        return [*strokes, (6, 7, 11, 2, 3.6, 3), (11, 2, 15 + 4 * spread, -4, 3, 2.2)]
    return [*strokes, (7, 7, 8, 3, 3.6, 3), (8, 3, 1, 1.5, 3, 2.3)]


def _ring_strokes():
    """Capsules of a hand seen from the side, whose fingers and thumb close to a ring."""
    palm = [(-6, 45, -5, 6, 6.5, 6.5), (-5, 4, -5, -5, 7, 6)]
    thumb = [(-2, 5, 6, 5, 4, 3.2), (6, 5, 12, -1, 3.2, 2.3)]
    return [*palm, *thumb, (-5, -8, 3, -13, 5.5, 4.2), (3, -13, 11, -10, 4.2, 3.2), (11, -10, 13, -3, 3.2, 2.4)]


def _capsule_distance(x, y, x0, y0, x1, y1, r0, r1):
    """Signed distance to a line from (x0, y0) to (x1, y1) as thick as r0 ... r1, negative within."""
    along, across = x1 - x0, y1 - y0
    t = np.clip(((x - x0) * along + (y - y0) * across) / (along * along + across * across), 0, 1)
    dx, dy = x - x0 - t * along, y - y0 - t * across
    return np.sqrt(dx * dx + dy * dy) - (r0 + (r1 - r0) * t)


def _texture(rng):
    """Smooth noise in [-1, 1]: a coarse grid of random numbers, interpolated."""
    grid = 2 * rng.random((9, 9)) - 1
    cell, part = np.arange(SIZE) // 8, np.arange(SIZE) % 8 / 8
    rows = grid[cell] + part[:, None] * (grid[cell + 1] - grid[cell])
    return rows[:, cell] + part * (rows[:, cell + 1] - rows[:, cell])
