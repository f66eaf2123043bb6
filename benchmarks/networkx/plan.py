"""Orders chains of three objects with networkx: prints the milliseconds to build and sort, and to sort again."""

import sys
import time

import networkx


def main(count: int) -> None:
    length = -(-count // 3)
    objects = [(model, number) for model in (2, 1, 0) for number in range(length)][:count]
    start = time.perf_counter()
    graph = networkx.DiGraph()
    graph.add_nodes_from(objects)
    graph.add_edges_from(((model - 1, number), (model, number)) for model, number in objects if model)
    assert len(list(networkx.topological_sort(graph))) == graph.number_of_nodes()
    built = time.perf_counter()
    list(networkx.topological_sort(graph))
    print((built - start) * 1e3, (time.perf_counter() - built) * 1e3, flush=True)


main(int(sys.argv[1]))
