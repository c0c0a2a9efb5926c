"""MXNet graphs as data: whose operators are looked at, and whose outputs are chosen."""

import json
from typing import Any

from algorithms.engine import mx
from processing_scripts.contract import JobError

Symbol = Any  # mxnet.sym.Symbol; MXNet has no type information
Node = dict[str, Any]


class GraphError(JobError):
    """A graph is not one that the algorithm can use."""


def load_graph(text: str, where: str) -> Symbol:
    """The graph in an MXNet symbol file.

    Raises:
        GraphError: the text is no graph.
    """
    try:
        return mx.sym.load_json(text)
    except (mx.base.MXNetError, ValueError, UnicodeError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "unreadable"
        raise GraphError(f"{where}: not an MXNet graph: {reason[:200]}") from None


def document_of(symbol: Symbol) -> dict[str, Any]:
    """The graph as its file has it: nodes, and the heads that are its outputs."""
    decoded: dict[str, Any] = json.loads(symbol.tojson())
    return decoded


def with_heads(graph: dict[str, Any], heads: list[tuple[int, int]]) -> Symbol:
    """The graph with other outputs, each (node, output of the node); nodes they do not need are left out."""
    return mx.sym.load_json(json.dumps({**graph, "heads": [[node, output, 0] for node, output in heads]}))


def find_node(nodes: list[Node], operator: str) -> int:
    """The position of the one node whose operator has this name, whatever library prefix it carries.

    Raises:
        GraphError: there is none, or several.
    """
    found = [number for number, node in enumerate(nodes) if node["op"].endswith(operator)]
    if len(found) != 1:
        raise GraphError(f"the model's graph has {len(found)} {operator} operators; expected one")
    return found[0]


def data_name(symbol: Symbol) -> str:
    """The name of the picture input: the variable that the others are not, the very first in the graph."""
    arguments = symbol.list_arguments()
    return "data" if "data" in arguments else str(arguments[0])
