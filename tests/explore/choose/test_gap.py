"""The gap statistic against the values of R's clusGap (cluster 2.1.4 under R 4.2.2).

Made by ``set.seed(1); clusGap(x, kmeans, nstart=25, K.max=8, B=500, d.power=2)``; W there is half the inertia.
"""

import numpy as np
import pytest
from sklearn.datasets import load_iris

from stream_seg.core.evaluation import optimum
from stream_seg.core.model import Float64
from stream_seg.explore.choose.gap import Gap, gap_of

# E. H. Ruspini (1970), Numerical methods for fuzzy clustering, Information Sciences 2, 319–350: 75 points, 4 groups.
RUSPINI = """
4,53 5,63 10,59 9,77 13,49 13,69 12,88 15,75 18,61 19,65 22,74 27,72 28,76 24,58 27,55 28,60 30,52 31,60 32,61 36,72
28,147 32,149 35,153 33,154 38,151 41,150 38,145 38,143 32,143 34,141 44,156 44,149 44,143 46,142 47,149 49,152 50,142
53,144 52,152 55,155 54,124 60,136 63,139 86,132 85,115 85,96 78,94 74,96 97,122 98,116 98,124 99,119 99,128 101,115
108,111 110,111 108,116 111,126 115,117 117,115 70,4 77,12 83,21 61,15 69,15 78,16 66,18 58,13 64,20 69,21 66,23 61,25
76,27 72,31 64,30
"""
OF_RUSPINI = {
    "logW": [11.7133074, 10.7070331, 10.1476776, 8.7703654, 8.5297856, 8.3635065, 8.1829894, 8.0323945],
    "gap": [-0.14481253, 0.15763278, 0.31096193, 1.31476695, 1.27216177, 1.20558630, 1.19457578, 1.17061181],
    "se": [0.084527812, 0.085104416, 0.079664515, 0.077877556, 0.078287899, 0.077579153, 0.077372469, 0.079689122],
}
OF_IRIS = {
    "logW": [5.8309592, 4.3330199, 3.6744184, 3.3539044, 3.1451471, 2.9714393, 2.8419466, 2.7141829],
    "gap": [0.07650640, 0.59317328, 0.87536221, 1.00416678, 1.04330419, 1.06382932, 1.06017243, 1.07629011],
    "se": [0.063670778, 0.046429272, 0.043100027, 0.041654544, 0.042316183, 0.039764213, 0.037808527, 0.038920503],
}


def ruspini() -> Float64:
    return np.array([[float(v) for v in pair.split(",")] for pair in RUSPINI.split()])


def gap(x: Float64, references: int = 200) -> Gap:
    inertias = [float(((x - x.mean(axis=0)) ** 2).sum()), *(optimum(x, k, 1)[1] for k in range(2, 9))]
    return gap_of(x, inertias, seed=1, references=references)


@pytest.mark.parametrize(
    ("x", "theirs"), [(ruspini(), OF_RUSPINI), (load_iris().data, OF_IRIS)], ids=["ruspini", "iris"]
)
def test_gaps_are_those_of_r(x: Float64, theirs: dict[str, list[float]]) -> None:
    ours = gap(np.ascontiguousarray(x))
    logs = [float(log - np.log(2)) for log in ours.logs]
    assert logs[:6] == pytest.approx(theirs["logW"][:6], abs=0.001)
    assert logs[6:] == pytest.approx(theirs["logW"][6:], abs=0.05)  # several optima lie close together there
    # Each is a mean of 200 or 500 draws: apart by what chance makes of that, four times over.
    for own, other, error in zip(ours.gaps, theirs["gap"], theirs["se"], strict=True):
        assert own == pytest.approx(other, abs=4 * error * (1 / 200 + 1 / 500) ** 0.5 + 0.012)
    assert ours.errors == pytest.approx(theirs["se"], rel=0.25)
    if x.shape == (75, 2):  # of iris 4 and 5 lie within a hair: R's own seeds differ
        assert ours.best == 4


def test_a_cloud_has_no_clusters() -> None:
    assert gap(np.random.default_rng(3).normal(size=(256, 3)), references=20).best == 1
