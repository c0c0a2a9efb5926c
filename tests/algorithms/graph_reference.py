"""What a graph gives when nothing is fused: its operators, one after the other."""

import json

from algorithms.engine import mx


def _operator(name):
    if name.startswith("_contrib_"):
        return getattr(mx.nd.contrib, name.removeprefix("_contrib_"))
    return getattr(mx.nd, name, None) or getattr(mx.nd._internal, name)


def run_plainly(graph, weights, inputs):
    """The graph's first output for the inputs [N, 3, H, W] of its variable `data`."""
    document = json.loads(graph.tojson())
    values = []
    data = mx.nd.empty(inputs.shape)
    data[:] = inputs
    for node in document["nodes"]:
        if node["op"] == "null":
            known = {**weights.args, **weights.aux, "data": data}
            values.append([known[node["name"]]])
            continue
        arguments = [values[number][output] for number, output, *_ in node["inputs"]]
        result = _operator(node["op"])(*arguments, **node.get("attrs", {}))
        values.append(result if isinstance(result, list) else [result])
    head, output, *_ = document["heads"][0]
    return values[head][output].asnumpy()
