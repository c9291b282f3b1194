"""The tissues of a synthetic scan, in the order in which they are painted.

Later tissues cover earlier ones: skin and fat, muscles, vessels, the canal, gut,
discs, the sacrum, and the vertebrae, which alone are in the label map.
"""

from __future__ import annotations

import numpy as np

from phantom.anatomy import (
    Field,
    Part,
    Spine,
    body_shape,
    rod,
    union,
    vertebra_shape,
)
from phantom.canvas import Canvas, coverage, edge, ellipse, footprint


def paint_scene(canvas: Canvas, spine: Spine, back: float, front: float) -> None:
    """Paint all tissues.

    Args:
        canvas: Receives them.
        spine: Vertebrae, discs and sacrum.
        back: World y of the skin of the back at midline, mm.
        front: World y of the skin of the abdomen, mm.
    """
    # Slice by slice, as a slice fits the CPU cache: twice as fast.
    for i in range(canvas.grid.shape[0]):
        surroundings = Surroundings(canvas, spine, i)
        surroundings.paint_wall(back, front)
        surroundings.paint_muscles()
        surroundings.paint_vessels()
        surroundings.paint_canal()
    paint_gut(canvas, spine, front)
    for disc in spine.discs:
        paint_disc(canvas, disc)
    paint_sacrum(canvas, spine.sacrum)
    for vertebra in spine.vertebrae:
        paint_roots(canvas, vertebra)
    for vertebra in spine.vertebrae:
        paint_vertebra(canvas, vertebra)


class Surroundings:
    """One sagittal slice of the tissues that follow the curve of the spine.

    Args:
        canvas: Receives them.
        spine: The spine.
        i: Index of the slice.
    """

    def __init__(self, canvas: Canvas, spine: Spine, i: int):
        self.canvas = canvas
        self.spine = spine
        _, rows, columns = canvas.grid.shape
        self.box = slice(i, i + 1), slice(0, rows), slice(0, columns)
        self.coarse = canvas.coarse[self.box]
        self.x, self.y, self.z = canvas.coordinates(self.box, np.eye(4))
        # A table in steps of 0.5 mm is 20 times as fast as interpolation per voxel.
        heights = np.arange(self.z.min(), self.z.max() + 1, 0.5)
        row = ((self.z - np.float32(heights[0])) * 2).astype(np.int32)
        x_body, y_body = spine.curve(heights, "body").astype(np.float32)
        x_canal, y_canal = spine.curve(heights, "canal").astype(np.float32)
        self.body = self.x - x_body[row], self.y - y_body[row]
        self.canal = self.x - x_canal[row], self.y - y_canal[row]
        # The skin of the back follows a fifth of the spine's curve.
        self.y_flat = self.y - 0.2 * y_canal[row]

    def cover(self, shape: Field, tissue: str, texture: float = 0.0) -> None:
        """Paint a tissue inside a shape of the slice, as `Canvas.paint` does."""
        self.canvas.cover(self.box, edge(shape), tissue, texture)

    def paint_wall(self, back: float, front: float) -> None:
        """Paint skin, fat, and the muscle of the abdominal wall."""
        bow = self.x * self.x / 400
        outline = np.maximum(back + bow - self.y_flat, self.y + bow - front)
        self.cover(outline, "skin")
        self.cover(outline + 2.2, "fat", 0.8)
        belly = np.abs(self.y + bow - front + 24) - 5
        self.cover(np.maximum(belly, 4 - np.abs(self.x)), "muscle", 0.8)

    def paint_muscles(self) -> None:
        """Paint the muscles beside the spine, and the ligaments at its midline."""
        x, y = self.canal
        side = np.abs(x)
        caudal = np.clip((80 - self.z) / 100, 0, 1)
        deep = ellipse(side - 15, y + 29, 13.5, 18)
        outer = ellipse(side - 36, y + 27, 19, 22)
        psoas = ellipse(side - 38, y - 18, 9 + 9 * caudal, 12 + 9 * caudal)
        for shape in (deep, outer, psoas):
            self.cover(shape + self.coarse, "muscle", 1.0)
        # Ligament fibres in the fat between the spinous processes.
        end = float(self.spine.vertebrae[0].to_world(0, 0, -30)[2])
        fibres = np.maximum(ellipse(x, y + 31, 2.5, 17), end - self.z)
        self.cover(fibres + 0.5 * self.coarse, "fibre", 1.5)

    def paint_vessels(self) -> None:
        """Paint aorta and vena cava, which divide below the fourth lumbar vertebra."""
        x, y = self.body
        parting = float(self.spine.vertebrae[1].to_world(0, 0, -10)[2])
        apart = 0.45 * np.clip(parting - self.z, 0, 60)
        sway = 2.0 * np.sin(self.z / 45)
        aorta = ellipse(x + 9 + apart + sway, y - 31 + 0.2 * apart, 8.5, 8.5)
        cava = ellipse(x - 13 - apart + sway, y - 29 + 0.2 * apart, 10.5, 8)
        for vessel in (aorta, cava):
            self.cover(vessel - 1.3, "wall")
            self.cover(vessel, "vessel", 0.3)
        thick = 3.5 * np.clip((self.z - parting + 45) / 70, 0.02, 1)
        artery = ellipse(x - 1 + sway, y - 52 + 0.12 * self.z, thick, thick)
        self.cover(artery, "vessel")

    def paint_canal(self) -> None:
        """Paint the ligaments, epidural fat, the fluid, cord and nerve roots."""
        x, y = self.canal
        front = self.body[1] - 18.3
        band = np.maximum(np.abs(front) - 1.4, np.abs(self.body[0]) - 14)
        end = float(self.spine.sacrum[1].to_world(0, 0, 0)[2])
        self.cover(np.maximum(band, end - self.z), "ligament")
        self.cover(ellipse(x, y, 24, 10), "fat", 0.8)
        share = np.clip((self.z - end) / 40 + 0.35, 0.05, 1)
        sac = ellipse(x, y - 0.5, 10.0 * share, 6.6 * share)
        sac = np.maximum(sac, end - 15 - self.z)
        self.cover(sac - 1.0, "ligament")
        self.cover(sac, "fluid", 0.4)
        top = self.spine.vertebrae[-1]
        first_lumbar = next((v for v in self.spine.vertebrae if v.value == 20), top)
        conus = float(first_lumbar.to_world(0, 0, -first_lumbar.height / 2)[2])
        share = np.clip((self.z - conus) / 22, 0.01, 1)
        self.cover(ellipse(x, y - 0.2, 5.2 * share, 3.9 * share), "cord", 0.3)
        strands = np.sin(2.1 * x + 1.3 * y + self.z / 25) * np.sin(
            2.4 * y - self.z / 40
        )
        bundle = np.maximum(ellipse(x, y + 2.2, 7.0, 3.2), end - self.z)
        self.cover(np.maximum(bundle, (0.1 - strands) * 2), "cord", 0.3)


def paint_gut(canvas: Canvas, spine: Spine, front: float) -> None:
    """Paint bowel loops and thin vessels in the fat in front of the spine."""
    rng = canvas.rng
    top = spine.vertebrae[-1].to_world(0, 0, 0)[2]
    ahead = spine.vertebrae[2].to_world(0, 58, 0)[1]
    for number in range(int(top / 4) + 25):
        frame = np.eye(4)
        frame[:3, :3] = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        frame[:3, 3] = rng.uniform((-50, ahead, -75), (50, front - 40, top + 25))
        half = rng.uniform((8, 8, 10), (16, 16, 36)).astype(np.float32)
        if number % 3 == 0:
            half = rng.uniform((1.5, 1.5, 20), (3, 3, 45)).astype(np.float32)
        content = rng.choice(["content", "content", "wall", "gas"])
        box = canvas.box(frame, -half - 3, half + 3)
        if box is None:
            continue
        u, v, w = canvas.coordinates(box, frame)
        radius = np.sqrt((u / half[0]) ** 2 + (v / half[1]) ** 2 + (w / half[2]) ** 2)
        shape = (radius - 1) * half.min()
        if number % 3 == 0:
            canvas.paint(box, shape, "vessel")
            continue
        canvas.paint(box, shape + canvas.coarse[box], "wall", 0.5)
        canvas.paint(box, shape + canvas.coarse[box] + 2.5, str(content), 0.8)


def paint_disc(canvas: Canvas, disc: Part) -> None:
    """Paint a disc: a dark ring around a nucleus, bright unless degenerated."""
    reach = np.array([disc.width, disc.depth, disc.height + 14]) / 2
    box = canvas.box(disc.frame, -reach - 3, reach + 3)
    bulge, moisture = canvas.rng.uniform((0.0, 0.0), (1.5, 1.0)).tolist()
    if box is None:
        return
    u, v, w = canvas.coordinates(box, disc.frame)
    ring = ellipse(u, v, disc.width / 2 + 0.3 * bulge, disc.depth / 2 + bulge)
    ring = np.maximum(ring, np.abs(w) - disc.height / 2 - 4)
    canvas.paint(box, ring, "annulus", 0.4)
    core = ellipse(u, v + 1.0, 0.36 * disc.width, 0.33 * disc.depth)
    thick = 0.42 * disc.height
    core = core + 2.5 * (np.abs(w) / thick) ** 3
    share = coverage(core, footprint(core))
    share = share * np.float32(0.15 + 0.8 * moisture)
    canvas.cover(box, share, "nucleus", 0.5)


def paint_sacrum(canvas: Canvas, sacrum: tuple[Part, ...]) -> None:
    """Paint S1 to S4 as one wedge with wings and the traces of its discs."""
    box = canvas.box(sacrum[1].frame, (-60, -55, -85), (60, 55, 65))
    if box is None:
        return
    shape = None
    for part in sacrum:
        u, v, w = canvas.coordinates(box, part.frame)
        side = np.abs(u)
        hip = part.width / 2
        wing = rod(side, v, w, (hip - 8, -4, 0), (hip + 25, -12, -4), 9.0, 1.3)
        corner = (13, part.canal - 3, 0)
        root = rod(side, v, w, (13, -part.depth / 2, 0), corner, 4.0, 2.2)
        roof = rod(side, v, w, corner, (0, part.canal - 10, -2), 3.2, 3.2)
        own = union(body_shape(part, u, v, w), wing, 6.0)
        own = union(union(own, root, 3.0), roof, 4.0)
        own = np.maximum(own, -ellipse(u, v - part.canal, 10.0, 5.5))
        shape = own if shape is None else union(shape, own, 4.0)
    paint_bone(canvas, box, shape, "fatty marrow")  # as in adults
    for part in sacrum[1:]:
        u, v, w = canvas.coordinates(box, part.frame)
        trace = ellipse(u, v, 0.4 * part.width, 0.42 * part.depth)
        trace = np.maximum(trace, np.abs(w - part.height / 2 - 0.5) - 1.3)
        canvas.paint(box, trace, "annulus")


def paint_roots(canvas: Canvas, vertebra: Part) -> None:
    """Paint the pair of nerve roots below a vertebra's pedicles."""
    low, high = (-36, -32, -26), (36, 8, 0)
    box = canvas.box(vertebra.frame, low, high)
    if box is None:
        return
    u, v, w = canvas.coordinates(box, vertebra.frame)
    start, end = (8, vertebra.canal, -2), (30, -vertebra.depth / 2 + 8, -20)
    canvas.paint(box, rod(np.abs(u), v, w, start, end, 2.4), "cord", 0.5)


def paint_bone(
    canvas: Canvas, box, shape: Field, marrow: str = "marrow", rim: float = 1.2
) -> None:
    """Paint a cortex `rim` mm thick and marrow inside it; see `Canvas.paint`."""
    reach = footprint(shape)
    canvas.cover(box, coverage(shape, reach), "cortex", 0.5)
    canvas.cover(box, coverage(shape + np.float32(rim), reach), marrow, 1.0)


def paint_vertebra(canvas: Canvas, vertebra: Part) -> None:
    """Paint a vertebra, and label all of it including the arch."""
    _, tip_v, tip_w = vertebra.spinous_tip
    half = vertebra.width / 2
    low = (-half - 22, tip_v - 8, min(tip_w, -20) - 14)
    high = (half + 22, vertebra.depth / 2 + 3, 27)
    box = canvas.box(vertebra.frame, low, high)
    if box is None:
        return
    u, v, w = canvas.coordinates(box, vertebra.frame)
    shape = vertebra_shape(vertebra, u, v, w) + 0.45 * canvas.coarse[box]
    paint_bone(canvas, box, shape)
    back = v + (vertebra.depth / 2 - 5)
    vein = np.sqrt((u / 6) ** 2 + (back / 7) ** 2 + (w / 2) ** 2) * 2 - 2
    canvas.paint(box, np.maximum(vein, shape + 1), "vein")
    inside = shape < np.minimum(canvas.depth[box], 0)
    canvas.depth[box] = np.where(inside, shape, canvas.depth[box])
    canvas.label_map[box] = np.where(inside, vertebra.value, canvas.label_map[box])
