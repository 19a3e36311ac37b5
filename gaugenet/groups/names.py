"""Read short names of representations, such as `regular`, `induced(C_2,1)` and `(1⊗2)`: a head and its arguments."""

from __future__ import annotations

_FUNCTIONS = ("quotient", "induced", "restricted", "fibre", "sphere", "harmonic", "fourier", "exterior", "Axial")
OPERATORS = ("⊗", "⊕")


def split_name(text: str) -> tuple[str, list[str]]:
    """Split `"induced(C_2,1)"` into `("induced", ["C_2", "1"])`, `"(1⊗2)"` into `("⊗", ["1", "2"])`."""
    text = text.strip()
    if text.endswith(")"):
        head, _, inside = text[:-1].partition("(")
        if head in _FUNCTIONS:
            return head, split_at(inside, ",")
        for operator in OPERATORS:
            if not head and len(parts := split_at(inside, operator)) > 1:
                return operator, parts
    return text, []


def split_at(text: str, separator: str) -> list[str]:
    """Split a text at separators outside of brackets, and strip the parts."""
    parts, depth, begin = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == separator and depth == 0:
            parts.append(text[begin:i].strip())
            begin = i + 1
    return [*parts, text[begin:].strip()]
