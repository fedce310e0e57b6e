"""The least that three processes can do to have a write on two disks (examples/floor), beside a
redis-server that syncs and bowline: which part of the distance between these no server could save."""
from load import point
from matrix import MAIN, Dimension, Matrix, pace
from systems import FLOOR, REFERENCE


def dimension():
    return Dimension("floor", [point(clients=1), point()], [REFERENCE, FLOOR, MAIN])


def run(args, place, generators, systems, store, header):
    return Matrix(place, generators, systems, store, pace(args), "floor").run([dimension()], header)
