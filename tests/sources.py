"""The project's Python sources as syntax trees, for tests of how the code is written."""

import ast
import gc


def syntax_nodes(source: str) -> list[ast.AST]:
    """Return all nodes of a module's syntax tree in the order of `ast.walk`, which takes half as long again."""
    result: list[ast.AST] = [_parse(source)]
    for node in result:
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                result.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                result.append(value)
    return result


def _parse(source: str) -> ast.Module:
    """Parse a module while no garbage is collected.

    CPython 3.11 counts the depth of the tree that it builds in one counter of the interpreter. A collection within
    `ast.parse` may run the finalizer of an object of another test; if that formats a traceback, it parses a line of
    source, and the outer call fails with "SystemError: AST constructor recursion depth mismatch".
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collecting:
            gc.enable()
